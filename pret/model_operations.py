"""The operations on the model, as coroutines over either transport."""

from pret import requests
from pret.errors import Rejected
from pret.models import ModelInfo, ModelSignature, ModelStatus, Reload, Version
from pret.responses import parse, parse_markdown
from pret.scores import ModelImportance
from pret.session import Session

NO_MODEL_CARD = "no-model-card"
"""Problem type if the model has no card; if no model is loaded, it is another."""


class ModelOperations(Session):
    """Which model is served, what it takes and what weighs in it, and how to change it."""

    async def model_status(self) -> ModelStatus:
        """Get the facts of the model file, and which process serves which version."""
        return parse(ModelStatus, await self._send(requests.model_status()))

    async def model_signature(self, *, language: str | None = None) -> ModelSignature:
        """Get the features of the model; `language` (fr or en) is that of labels."""
        return parse(ModelSignature, await self._send(requests.model_signature(language)))

    async def importance(self, *, language: str | None = None) -> ModelImportance:
        """Get what weighs in the model as a whole: its features and groups by their mean absolute contribution."""
        return parse(ModelImportance, await self._send(requests.importance(language)))

    async def model_info(self) -> ModelInfo:
        """Get where the model comes from."""
        return parse(ModelInfo, await self._send(requests.model_info()))

    async def model_card(self) -> str | None:
        """Get the model card, in Markdown; None if the model has none."""
        try:
            return parse_markdown(await self._send(requests.model_card()))
        except Rejected as error:
            if error.problem is not None and error.problem.type == NO_MODEL_CARD:
                return None
            raise

    async def model_versions(self) -> tuple[Version, ...]:
        """List the changes of the active version and the rejected attempts, newest first."""
        return parse(tuple[Version, ...], await self._send(requests.model_versions()))

    async def reload(self, revision: str | None = None) -> Reload:
        """Activate another version on all processes or on none; raises Rejected, with what each did in `problem.processes`."""
        return parse(Reload, await self._send(requests.reload(revision)))

    async def rollback(self) -> Reload:
        """Return to the previous version."""
        return parse(Reload, await self._send(requests.rollback()))
