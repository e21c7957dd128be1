"""Write the job file's JSON Schema, by which an editor completes keys and marks mistakes (pure)."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from pipeline.config.problems import REQUIRED
from pipeline.model.job import OF_READER, Job

_TITLE = "Job file of copernica-import"
# What a job file may write in place of what the model holds: sizes, shares and days are texts, a column may be a name.
_WRITTEN = {"type": ["string", "number"]}


class _AsWritten(GenerateJsonSchema):
    """Describe what stands in the file, where the model turns it into something else."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """Take the written form beside the model's own."""
        inner = self.generate_inner(schema["schema"])
        return {"anyOf": [inner, dict(_WRITTEN)]}


def editor_schema() -> dict[str, Any]:
    """Return a JSON Schema (draft 2020-12) of the job file with every key, its values and what is required."""
    schema = Job.model_json_schema(by_alias=True, schema_generator=_AsWritten, mode="validation")
    for name in OF_READER:
        schema["properties"].pop(name, None)
    schema["required"] = sorted(name for name in schema.get("required", ()) if name not in OF_READER)
    schema["title"] = _TITLE
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for path, (_, advice) in REQUIRED.items():
        _property(schema, path)["description"] = advice.replace("`", "")
    return schema


def _property(schema: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    """Return the entry of a key, following references between the models."""
    found: dict[str, Any] = schema
    for name in path:
        while "$ref" in found:
            found = schema["$defs"][found["$ref"].rpartition("/")[2]]
        found = found["properties"][name]
    return found
