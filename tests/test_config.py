"""Settings: read from file and environment with their origins, rejected with line and hint, and turned into
commands."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.agents.pricing import Price
from nova_core.cli.run import configured
from nova_core.cli.run_options import RunFlags
from nova_core.config import AgentConfig, Config, EnvConfig, LimitsConfig, load_config
from nova_core.config.git import GitConfig
from nova_core.errors import InputError, InputNotFoundError, UsageError
from nova_core.launch.invocation import agent_named, agents_known, provider_of, render_command
from nova_core.model import Task

FULL = """\
agent: [claude, codex]
agents:
  claude:
    command: [claude, -p, "{prompt}", ""]
    env: {API_TIMEOUT: 10, EMPTY: , NO: no}
    model: opus
command: make {id}
jobs: 8
limits:
  branches: {Backend: 2}
  groups:
    API: 1
  cpu: 1.5
  memory: 8GB
timeout: 1.5h
idle_timeout: 90
check_timeout: 0
grace: 250ms
retries: 2
retry_delay: 1s
retry_max_delay: 1m
budget: $12.50
prices:
  my-model: {input: 1, output: 2.5, cache_read: 0}
log_limit: 1MiB
fail_fast: yes
env:
  drop: [SECRET, AWS_*]
  set: {CI: 1}
milestones: plan/milestones.yaml
"""
TASK = Task("F1", "Core", description="Types", line=3)


def load(tmp_path: Path, text: str, **environ: str) -> Config:
    """The settings of `text` as a file."""
    (tmp_path / "nova.yaml").write_text(text)
    return load_config(tmp_path / "nova.yaml", environ=environ)


def test_every_setting(tmp_path: Path) -> None:
    """A full file is read into typed values, in seconds, bytes and dollars."""
    config = load(tmp_path, FULL)
    assert msgspec.structs.replace(config, origins={}) == Config(
        agent=("claude", "codex"),
        agents={
            "claude": AgentConfig(
                ("claude", "-p", "{prompt}", ""), {"API_TIMEOUT": "10", "EMPTY": "", "NO": "no"}, "opus"
            )
        },
        command="make {id}",
        jobs=8,
        limits=LimitsConfig({"Backend": 2}, {"API": 1}, 1.5, 8_000_000_000),
        timeout=5400.0,
        idle_timeout=90.0,
        check_timeout=0.0,
        grace=0.25,
        retries=2,
        retry_delay=1.0,
        retry_max_delay=60.0,
        budget=12.5,
        prices={"my-model": Price(1.0, 2.5, 0.0)},
        log_limit=2**20,
        fail_fast=True,
        env=EnvConfig(("SECRET", "AWS_*"), {"CI": "1"}),
        milestones="plan/milestones.yaml",
    )


def test_origins(tmp_path: Path) -> None:
    """Each value has its file and line, or its variable; defaults have no origin."""
    config = load(tmp_path, FULL, NOVA_JOBS="5", NOVA_LIMITS_CPU="2")
    file = str(tmp_path / "nova.yaml")
    assert config.origins["timeout"] == f"{file}:15"
    assert config.origins["agents.claude"] == f"{file}:3"
    assert config.origins["limits.memory"] == f"{file}:14"
    assert (config.origins["jobs"], config.jobs) == ("NOVA_JOBS", 5)
    assert (config.origins["limits.cpu"], config.limits.cpu, config.limits.memory) == (
        "NOVA_LIMITS_CPU",
        2.0,
        8 * 10**9,
    )
    assert load(tmp_path, "jobs: 3").origins.keys() == {"jobs"}


@pytest.mark.parametrize("text", ["", "# nothing", "jobs:\n", "limits:\nagents: {}\n"])
def test_absent_values_are_defaults(tmp_path: Path, text: str) -> None:
    """A file without values equals no file."""
    assert msgspec.structs.replace(load(tmp_path, text), origins={}) == Config()


def test_missing_files(tmp_path: Path) -> None:
    """Without `nova.yaml` the defaults apply; a file that is requested by name must exist."""
    assert load_config(None, environ={}, root=tmp_path) == Config()
    with pytest.raises(InputNotFoundError):
        load_config(tmp_path / "other.yaml", environ={})


def test_default_file_is_found_in_the_root(tmp_path: Path) -> None:
    """`nova.yaml` in the project root is read by default, and an unreadable one is an error."""
    (tmp_path / "nova.yaml").write_text("jobs: 7")
    assert load_config(None, environ={}, root=tmp_path).jobs == 7
    (tmp_path / "nova.yaml").unlink()
    (tmp_path / "nova.yaml").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        load_config(None, environ={}, root=tmp_path)


REFUSED = [
    ("jobs: 0", 1, "jobs: must be more than 0", ""),
    ("jobs: -1", 1, "jobs: must be a whole number that is not negative, not `-1`", ""),
    ("jobs: many", 1, "jobs: must be a whole number", ""),
    ("jobs: 1.5", 1, "jobs: must be a whole number", ""),
    ("jobs: [1]", 1, "jobs: must be text, not a list", ""),
    ("\njbos: 3", 2, "jbos: unknown setting", "did you mean `jobs`?"),
    ("zzz: 3", 1, "zzz: unknown setting", "known: agent"),
    ("limits:\n  cpus: 3", 2, "limits.cpus: unknown setting", "did you mean `cpu`?"),
    ("limits:\n  cpu: 0", 2, "limits.cpu: must be more than 0", ""),
    ("limits:\n  memory: 8 gigs", 2, "limits.memory: '8 gigs' is not a size", ""),
    ("limits:\n  branches:\n    A: 0", 3, "limits.branches.A: must be more than 0", ""),
    ("limits: 3", 1, "limits: must be a mapping", ""),
    ("- jobs", 1, "must be a mapping", ""),
    ("timeout: soon", 1, "timeout: 'soon' is not a duration", ""),
    ("timeout: -5", 1, "timeout: '-5' is not a duration", ""),
    ("budget: nan", 1, "budget: must be a number", ""),
    ("budget: 0", 1, "budget: must be more than 0", ""),
    ("fail_fast: maybe", 1, "fail_fast: must be true or false, not `maybe`", ""),
    ("command: ''", 1, "command: must be text, not nothing", ""),
    ('command: "a\\0b"', 1, "command: must not contain a NUL", ""),
    ("agents:\n  a: {}", 2, "agents.a: has no command", ""),
    ("agents:\n  a:", 2, "agents.a: has no command", ""),
    ("agents:\n  a:\n    command: claude -p", 3, "agents.a.command: must be a list of strings", ""),
    ("agents:\n  a:\n    command: []", 3, "agents.a.command: must be a list of strings", ""),
    ("agents:\n  a:\n    command: [a, [b]]", 3, "agents.a.command: must be text, not a list", ""),
    ("agents:\n  a:\n    command: ['{promt}']", 3, "agents.a.command: unknown placeholder `{promt}`", "write {{"),
    ("agents:\n  a:\n    command: [x]\n    env: {A-B: 1}", 4, "agents.a.env.A-B: not a name", ""),
    ("agents:\n  a:\n    command: [x]\n    env: {A: [1]}", 4, "agents.a.env.A: must be text", ""),
    ("prices:\n  m: {input: 1}", 2, "prices.m: `output` is missing", ""),
    ("prices:\n  m: {input: -1, output: 2}", 2, "prices.m.input: must be a number", ""),
    ("env:\n  set: {'': 1}", 2, "env.set.: not a name", ""),
    ('"\\x1b[2Jx": 1', 1, "x: unknown setting", ""),
    ("isolation: maybe", 1, "isolation: must be one of auto, tree, off, not `maybe`", ""),
    ("git: off", 1, "git: must be a mapping", ""),
    ("git:\n  lnad: no", 2, "git.lnad: unknown setting", "did you mean `land`?"),
    ("git:\n  land: never", 2, "git.land: must be one of end, each, no, not `never`", ""),
    ("git:\n  conflicts: merge", 2, "git.conflicts: must be one of resolve, stop, avoid", ""),
    ("git:\n  uncommitted: yes", 2, "git.uncommitted: must be one of refuse, ignore, include", ""),
    ("git:\n  recheck: often", 2, "git.recheck: must be true or false", ""),
    ("git:\n  max_file: 50 megs", 2, "git.max_file: '50 megs' is not a size", "write bytes"),
    ("git:\n  max_file: 0", 2, "git.max_file: must be more than 0", ""),
    ("git:\n  max_new: -1", 2, "git.max_new: must be a whole number", ""),
    ("git:\n  setup: [npm ci]", 2, "git.setup: must be text, not a list", ""),
    ("git:\n  trees: sub/trees", 2, "git.trees: must be outside the project's folder", "write a folder beside it"),
    ("git:\n  trees: .", 2, "git.trees: must be outside the project's folder", "write a folder beside it"),
    ("git:\n  copy:\n    - .env\n    - /etc/passwd", 4, "git.copy: must be a path below the project's folder", ""),
    ("git:\n  copy: .env, ../secret", 2, "git.copy: must be a path below the project's folder", ""),
    ("git:\n  link: [node_modules, .]", 2, "git.link: must be a path below the project's folder, not `.`", ""),
    ("git:\n  link: [.git/hooks]", 2, "git.link: must not lead into .git", ""),
    ("git:\n  generated:\n    package-lock.json: [npm, i]", 3, "git.generated.package-lock.json: must be text", ""),
    ("git:\n  generated:\n    ../x: make", 3, "git.generated.../x: must be a path below", "write a pattern"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), REFUSED)
def test_mistakes_have_place_and_hint(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    """Every wrong value is reported with its file and line, in one printable line."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    problem = caught.value.problems[0]
    assert problem.line == line
    assert message in problem.message
    assert problem.hint.startswith(hint)
    assert str(problem).isprintable()


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Mistakes are collected in the order of the file, those of variables last."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, "timeout: x\njobs: 0\nfoo: 1", NOVA_RETRIES="many")
    assert [(p.path.endswith("nova.yaml"), p.line) for p in caught.value.problems] == [
        (True, 1), (True, 2), (True, 3), (False, 0),
    ]  # fmt: skip
    assert str(caught.value.problems[-1]).startswith("NOVA_RETRIES: must be a whole number")


def test_isolation_is_automatic_unless_it_is_set(tmp_path: Path) -> None:
    """All settings of isolation have the documented defaults, also where the file leaves a value out."""
    assert load(tmp_path, "").isolation == "auto"
    assert load(tmp_path, "git:\n  setup: null\n  trees:\n").git == GitConfig()
    assert GitConfig().copy == (".env", ".env.*")
    assert (GitConfig().max_file, GitConfig().max_new) == (50_000_000, 5_000)


GIT = """\
isolation: tree
git:
  trees: ../copies
  copy: [.env, "config/*.local"]
  link: node_modules
  setup: npm ci
  recheck: no
  check: make test
  conflicts: avoid
  generated: {package-lock.json: npm install --package-lock-only, "gen/**": make gen}
  land: each
  uncommitted: include
  max_file: 50MB
  max_new: 100
"""


def test_settings_of_isolation(tmp_path: Path) -> None:
    """Each setting is read into its type; a relative folder of trees is seen from the file."""
    project = tmp_path / "project"
    project.mkdir()
    config = load(project, GIT)
    assert config.isolation == "tree"
    assert config.git == GitConfig(
        trees=str(tmp_path / "copies"),
        copy=(".env", "config/*.local"),
        link=("node_modules",),
        setup="npm ci",
        recheck=False,
        check="make test",
        conflicts="avoid",
        generated={"package-lock.json": "npm install --package-lock-only", "gen/**": "make gen"},
        land="each",
        uncommitted="include",
        max_file=50_000_000,
        max_new=100,
    )
    assert config.origins["git.land"].endswith("nova.yaml:11")
    assert load(project, "git: {copy: []}").git.copy == ()


def test_options_override_settings_of_isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--isolation` and `--uncommitted` replace only their own values, and take only their own words."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nova.yaml").write_text(GIT)
    config = configured(RunFlags("CASCADE.md", isolation="auto", uncommitted="ignore").settings())
    assert (config.isolation, config.git.uncommitted, config.git.land) == ("auto", "ignore", "each")
    assert configured(RunFlags("CASCADE.md").settings()).git.uncommitted == "include"
    for wrong in (RunFlags("CASCADE.md", isolation="yes"), RunFlags("CASCADE.md", uncommitted="stash")):
        with pytest.raises(UsageError, match="must be one of"):
            wrong.settings()


@pytest.mark.parametrize(
    ("variable", "text", "setting", "expected"),
    [
        ("NOVA_AGENT", "claude, codex", "agent", ("claude", "codex")),
        ("NOVA_TIMEOUT", "30m", "timeout", 1800.0),
        ("NOVA_BUDGET", "5", "budget", 5.0),
        ("NOVA_FAIL_FAST", "1", "fail_fast", True),
        ("NOVA_LOG_LIMIT", "1kB", "log_limit", 1000),
        ("NOVA_JOBS", "", "jobs", 4),
        ("NOVA_ISOLATION", "tree", "isolation", "tree"),
    ],
)
def test_variables_override_the_file(tmp_path: Path, variable: str, text: str, setting: str, expected: object) -> None:
    """A variable overrides the file; an empty one counts as unset."""
    assert getattr(load(tmp_path, "jobs: 4\ntimeout: 1s", **{variable: text}), setting) == expected


def test_render_command_fills_in() -> None:
    """Placeholders are replaced anywhere in an argument, values are not searched again, braces can be escaped."""
    agent = AgentConfig(("x", "{id}-{name}", "--p={prompt}", "{{{description}}}", "{model}"), model="opus")
    assert render_command(agent, TASK, "do {id} {{now}}; rm -rf /") == (
        "x", "F1-Core", "--p=do {id} {{now}}; rm -rf /", "{Types}", "opus",
    )  # fmt: skip
    assert render_command(agent, TASK, "", "haiku")[-1] == "haiku"


def test_render_command_values_cannot_become_options_or_end_a_string() -> None:
    """A value with a leading dash, a NUL or a lone surrogate stays one harmless argument."""
    agent = AgentConfig(("x", "{prompt}", "{name}"))
    hostile = msgspec.structs.replace(TASK, name="--a\ud800")
    assert render_command(agent, hostile, "\0-rf\0") == ("x", " -rf", " --a?")


@pytest.mark.parametrize("argument", ["{nmae}", "{}", "{", "a}", '{"json": 1}', "{{}"])
def test_render_command_names_an_unknown_placeholder(argument: str) -> None:
    """Unknown placeholders are an error that lists the known ones."""
    with pytest.raises(UsageError, match="unknown placeholder") as caught:
        render_command(AgentConfig((argument,)), TASK, "")
    assert "{prompt}" in caught.value.hint


@given(st.text(), st.text())
def test_render_command_keeps_arguments_apart(name: str, prompt: str) -> None:
    """Whatever the values, the number of arguments stays and each can be passed to a process."""
    rendered = render_command(AgentConfig(("x", "{name}", "{prompt}")), Task("F1", name), prompt)
    assert len(rendered) == 3
    assert all("\0" not in argument and argument.encode() is not None for argument in rendered)
    assert not any(argument.startswith("-") for argument in rendered)


ACCOUNTS = """\
agents:
  claude:
    accounts:
      work: logins/work
      home: {config: ~/.claude-home, env: {A: b}}
      key: {env: {ANTHROPIC_API_KEY: k}}
    pause_at: 90%
"""


def test_accounts_are_folders_or_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder becomes the agent's own variable; a relative one begins at the file, `~` at the home directory."""
    monkeypatch.setenv("HOME", "/home/me")
    config = load(tmp_path, ACCOUNTS)
    found = {name: agent_named(config, f"claude/{name}") for name in ("work", "home", "key")}
    assert {name: agent and dict(agent.env) for name, agent in found.items()} == {
        "work": {"CLAUDE_CONFIG_DIR": str(tmp_path / "logins" / "work")},
        "home": {"CLAUDE_CONFIG_DIR": "/home/me/.claude-home", "A": "b"},
        "key": {"ANTHROPIC_API_KEY": "k"},
    }
    assert [provider_of(f"claude/{name}", agent) for name, agent in found.items() if agent] == [
        "anthropic/work", "anthropic/home", "anthropic/key",
    ]  # fmt: skip
    assert config.agents["claude"].pause_at == 0.9
    assert agent_named(config, "claude/none") is None
    assert "claude/work" in agents_known(config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agents: {claude: {accounts: {a b: x}}}", "not a name for an account"),
        ("agents: {claude: {accounts: {a/b: x}}}", "not a name for an account"),
        ("agents: {claude: {accounts: {a: {}}}}", "names no login"),
        ("agents: {claude: {accounts: {a: {env: {1x: y}}}}}", "not a name for an environment variable"),
        ("agents: {claude: {accounts: [a]}}", "must be a mapping"),
        ("agents: {aider: {accounts: {a: x}}}", "Nova does not know which variable names this agent's folder"),
        ("agents: {claude: {pause_at: 0%}}", "must be a percentage"),
        ("agents: {claude: {pause_at: 101}}", "must be a percentage"),
        ("agents: {claude: {pause_at: soon}}", "must be a percentage"),
    ],
)
def test_accounts_with_a_mistake(text: str, words: str, tmp_path: Path) -> None:
    """Rejected with the place and what is wrong."""
    with pytest.raises(InputError, match=words):
        load(tmp_path, text)
