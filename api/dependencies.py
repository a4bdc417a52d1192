"""Dependencies of the routes, as annotated aliases."""

from typing import Annotated

from fastapi import Depends, Header, Request

from api.access.callers import Caller
from api.access.jobs import VisibleJobs
from api.errors import ModelNotFound
from api.language import language_of
from api.services import Services
from shared.contract.text import Language
from shared.errors import NoModel
from shared.models.artifact import Model


def get_services(request: Request) -> Services:
    """Return the services of this process."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_caller(request: Request) -> Caller:
    """Return the caller of the request, as identified by the edge."""
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]


def get_jobs(services: ServicesDep, caller: CallerDep) -> VisibleJobs:
    """Return the jobs that the caller may see."""
    return VisibleJobs(services.store, caller)


JobsDep = Annotated[VisibleJobs, Depends(get_jobs)]


def get_model(services: ServicesDep) -> Model:
    """Return the model that scores; 503 if no model is loaded."""
    return services.member.model


def get_shown_model(services: ServicesDep) -> Model:
    """Return the model that the model routes describe; 404 if no model is loaded."""
    try:
        return services.member.model
    except NoModel as error:
        raise ModelNotFound.of(error.reason) from error


def get_language(accept_language: Annotated[str, Header(description="`fr` or `en`.")] = "") -> Language:
    """Return the language that the caller prefers."""
    return language_of(accept_language)


LanguageDep = Annotated[Language, Depends(get_language)]
ModelDep = Annotated[Model, Depends(get_model)]
ShownModelDep = Annotated[Model, Depends(get_shown_model)]
