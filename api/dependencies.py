"""What a route may ask for, as annotated aliases."""

from typing import Annotated

from fastapi import Depends, Request

from api.errors import ModelNotFound
from api.services import Services
from shared.errors import NoModel
from shared.models.artifact import Model


def get_services(request: Request) -> Services:
    """Give the parts of this process."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_model(services: ServicesDep) -> Model:
    """Give the model that scores; 503 while there is none."""
    return services.member.model


def get_shown_model(services: ServicesDep) -> Model:
    """Give the model that the model routes tell about; 404 while there is none."""
    try:
        return services.member.model
    except NoModel as error:
        raise ModelNotFound.of(error.reason) from error


ModelDep = Annotated[Model, Depends(get_model)]
ShownModelDep = Annotated[Model, Depends(get_shown_model)]
