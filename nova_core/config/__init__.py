"""Settings: `nova.yaml`, overridden by `NOVA_*` variables."""

from nova_core.config.settings import AGENT_IDLE as AGENT_IDLE
from nova_core.config.settings import AccountConfig as AccountConfig
from nova_core.config.settings import AgentConfig as AgentConfig
from nova_core.config.settings import Config as Config
from nova_core.config.settings import EnvConfig as EnvConfig
from nova_core.config.settings import LimitsConfig as LimitsConfig
from nova_core.config.settings import PhaseConfig as PhaseConfig
from nova_core.config.settings import RetryConfig as RetryConfig
from nova_core.config.settings import Runner as Runner
from nova_core.config.settings import load_config as load_config
