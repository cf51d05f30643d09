"""A client of TFModel, the training server for websites."""

from tfmodel_client.async_client import AsyncClient
from tfmodel_client.client import Client
from tfmodel_client.errors import TFModelError
from tfmodel_client.version import VERSION

__version__ = VERSION
__all__ = ["AsyncClient", "Client", "TFModelError", "__version__"]
