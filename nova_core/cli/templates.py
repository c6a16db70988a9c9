"""The files `nova init` writes."""

CASCADE = """\
# {project}

<!-- A plan: one row per task. A task starts when everything in its Depends On column is done.
     Check it with `nova check`, see it with `nova graph`, run it with `nova run`.
     More columns: Agent, Outputs, Criteria, Timeout, Retries, Priority, Locks, Model, Approval, Duration. -->

## L1: Main

### L2: First steps

| Task ID | Task Name | What Changes | Command | Depends On |
| --- | --- | --- | --- | --- |
| F1 | Say hello | Prints a greeting | `echo hello` | - |
| F2 | List files | Lists the project's files | `ls` | - |
| F3 | Finish | Runs when both are done | `echo done` | F1, F2 |

#### F3

Text below a heading with a task's id belongs to the task: an agent gets it in its prompt.
Boxes are criteria; one that starts with a command is checked by running it.

- [ ] `true` succeeds
"""

NOVA_YAML = """\
# Settings of Nova, all optional; options and NOVA_* variables take precedence. `nova config` shows the result.

# jobs: 3                 # maximum number of workers
# agent: claude           # runs the tasks that have neither a Command nor an Agent of their own
# timeout: 1h             # longest time for a task
# idle_timeout: 15m       # longest time without output; for agents 20m by default
# quiet_timeout: 30s      # how long an agent that has finished may take to exit
# ask_timeout: 10m        # how long the question of an agent (permissions: ask) waits for your answer
# retries: 1              # how often to retry a failed task
# budget: 20              # US dollars; no task starts above it
# fail_fast: false        # start no more tasks after the first failure
# isolation: auto         # each task in a tree of its own if agents work in a git project; Nova merges the results
# jobserver: false        # share the workers' slots with make, ninja and cargo

# agents:                 # Nova knows claude, codex, gemini, opencode, aider, copilot and pi: no entry needed
#   claude:
#     model: sonnet
#     permissions: shell    # safe, shell or bypass: what it may do

# limits:
#   groups:
#     First steps: 1      # maximum number of workers in this group

# hooks:
#   failed: ./page.sh     # also started, waiting, asked, finished, ...; data in NOVA_* variables, and JSON on stdin

# notify:
#   webhook: $CHAT_WEBHOOK   # approvals, questions, failures, the end of the run: for Slack, Discord, ntfy, ...
"""

MILESTONES_YAML = """\
# Messages at points of the run. Trigger types: all_tasks_completed, percentage_complete, any_task_failed,
# branch_completed, group_completed, cost_reached.

milestones:
  - id: half
    name: Half way
    trigger:
      type: percentage_complete
      threshold: 50
    message: Half of the tasks are done.
"""
