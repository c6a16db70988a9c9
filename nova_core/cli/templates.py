"""The files `nova init` writes."""

CASCADE = """\
# {project}

<!-- A plan: one row per task. A task starts when everything in its last column is done.
     Check it with `nova check`, see it with `nova graph`, run it with `nova run`.
     More columns: Agent, Outputs, Criteria, Timeout, Retries, Priority, Locks, Model, Approval, Duration. -->

## L1: Main

### L2: First steps

| Task ID | Task Name | What Changes | Command | Depends On |
| --- | --- | --- | --- | --- |
| F1 | Say hello | Prints a greeting | `echo hello` | - |
| F2 | Look around | Lists the project's files | `ls` | - |
| F3 | Finish | Runs when both are done | `echo done` | F1, F2 |

#### F3

Anything below a heading with a task's id is its long text: an agent gets it as part of its prompt.
Boxes are its criteria; one that starts with a command is checked by running it.

- [ ] `true` succeeds
"""

NOVA_YAML = """\
# Settings of Nova, all optional; flags and NOVA_* variables win over them. `nova config` shows what is in force.

# jobs: 3                 # most workers at once
# agent: claude           # runs the tasks that have neither a Command nor an Agent of their own
# timeout: 1h             # longest time for a task
# idle_timeout: 15m       # longest time a task may print nothing
# retries: 1              # times to try a failed task again
# budget: 20              # US dollars; nothing is started above it
# fail_fast: false        # start nothing more after the first failure

# agents:                 # Nova knows claude, codex, gemini, opencode and aider: they need no entry
#   claude:
#     model: sonnet
#     permissions: shell    # safe, shell or bypass: what it may do without asking

# limits:
#   groups:
#     First steps: 1      # most workers at once in this group

# hooks:
#   failed: ./notify.sh   # also started, blocked, milestone, finished; data are in NOVA_* variables, and JSON on stdin
"""

MILESTONES_YAML = """\
# Messages for moments of the run. Trigger types: all_tasks_completed, percentage_complete, any_task_failed,
# branch_completed, group_completed, cost_reached.

milestones:
  - id: half
    name: Half way
    trigger:
      type: percentage_complete
      threshold: 50
    message: Half of the tasks are done.
"""
