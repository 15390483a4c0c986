"""From Options to what the stages need: catalogue, rules, keys, places."""

from __future__ import annotations

import dataclasses
import functools
import secrets
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.options import Options, UsageError, affecting
from pipeline.preflight import model_processes
from pipeline.versions import code_version, distribution_version
from schemas.catalogue import Catalogue
from transforms import storage
from transforms.catalogue import CatalogueError, load_catalogue
from transforms.checkpoints import CheckpointKeys
from transforms.classify.calibration import Calibration, CalibrationFile
from transforms.classify.model.requests import PROMPT_VERSION
from transforms.classify.model.session import ModelStage
from transforms.classify.model.settings import (
    ConfigurationFault,
    EndpointSettings,
    ModelSettings,
    Prices,
    read_key,
)
from transforms.classify.offline import OfflineClassifier
from transforms.classify.review import Answer, AnswerError, read_answers
from transforms.classify.session import ClassificationSettings
from transforms.ingest.network import ConfigError, NetworkRules, load_network_rules
from transforms.ingest.read import ReadLimits
from transforms.keys import ProjectKeyError, keyed_hex, load_project_key, stable_hash
from transforms.normalize.match import MatchSettings
from transforms.privacy.config import ScrubberConfigError, load_scrubber_config
from transforms.privacy.pixels.settings import PixelSettings
from transforms.privacy.settings import PrivacySettings, PublishSettings
from transforms.synthesize.examples import SynthesisSettings
from transforms.synthesize.targets import TARGETS, ImageSource, rows_to_arrow


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """One run, resolved. Everything a stage is built from comes from here."""

    options: Options
    run_id: str
    catalogue: Catalogue
    rules: NetworkRules
    privacy: PrivacySettings
    models: tuple[ModelSettings, ...]
    """One per model configuration; none for the offline classifier."""
    calibrations: tuple[Calibration | None, ...]
    """One per model configuration; None where confidences stay as they are."""
    answers: dict[str, dict[str, Answer]]
    keys: CheckpointKeys
    writing: str
    """Hash of what only decides how a version is written."""
    config_hash: str

    @property
    def checkpoints(self) -> str:
        """Folder of the checkpoints."""
        return storage.join(self.options.output or "", "checkpoints")

    @property
    def limits(self) -> ReadLimits:
        """Limits of reading."""
        return ReadLimits(
            max_line_bytes=self.options.max_line_bytes, max_bad_lines=self.options.max_bad_lines
        )

    @property
    def match(self) -> MatchSettings:
        """Settings of observation matching."""
        return MatchSettings(
            max_observation_age_s=self.options.max_observation_age_s,
            split_idle_s=self.options.split_idle_s,
            max_frames=self.options.max_frames,
        )

    @property
    def synthesis(self) -> SynthesisSettings:
        """Settings of example synthesis."""
        o = self.options
        return SynthesisSettings(
            maps=o.action_tool_map,
            partial_examples=o.partial_examples,
            code_version=code_version("result"),
            prompt_version=prompt_version(o),
            images=o.images,
            nested_tool_calls=not o.flat_tool_calls,
            configurations=o.configurations,
        )

    @property
    def frames(self) -> ImageSource:
        """Where training rows find published frames."""
        return ImageSource(
            self.options.images, functools.partial(_read_below, self.options.output or "")
        )

    @property
    def training_table(self) -> functools.partial:
        """(target, JSONL lines) → Arrow table."""
        return functools.partial(rows_to_arrow, images=self.options.images)

    @property
    def publishing(self) -> PublishSettings:
        """How frames are published."""
        o = self.options
        return PublishSettings(o.output or "", o.frame_format, o.max_frame_px)

    @property
    def classification(self) -> ClassificationSettings:
        """Who classifies, once per model configuration."""
        makers = tuple(
            functools.partial(OfflineClassifier, configuration=c, calibration=calibration)
            for c, calibration in zip(self.options.configurations, self.calibrations)
        )
        return ClassificationSettings(makers, self.options.min_confidence, self.answers)

    @property
    def model_stage(self) -> ModelStage | None:
        """What asking a model takes; None for the offline classifier."""
        if not self.models:
            return None
        o = self.options
        return ModelStage(
            models=self.models,
            catalogue=self.catalogue,
            output=o.output or "",
            min_confidence=o.min_confidence,
            answers=self.answers,
            annotate=o.annotate,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What manifest and summary say of the configuration; deterministic, without secrets."""
        o = self.options
        return {
            "writing": self.writing,
            "validation_share": o.validation_share,
            "max_shard_mb": o.max_shard_mb,
            "privacy": o.privacy,
            "targets": list(o.target_names),
            "images": o.images,
            "classifier": o.classifier,
            "model": o.model,
            "model_configurations": list(o.configurations),
            "min_confidence": o.min_confidence,
            "catalogue": self.catalogue.fingerprint,
            "code": {part: code_version(part) for part in ("prepared", "result", "version")},
            "tracemill": distribution_version(),
        }


def _read_below(root: str, path: str) -> bytes:
    return storage.read_bytes(storage.join(root, path))


def make_private(root: str) -> None:
    """Makes the private location, for its owner only."""
    storage.make_folder(root)
    if storage.is_local(root):
        storage.local_path(root).chmod(0o700)


def new_run_id() -> str:
    """Returns a run id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def resolve(options: Options, dry: bool = False) -> RunSettings:
    """Loads and checks every file that the options name; raises UsageError.

    ``dry``: nothing is written, and no key is needed; without a project key nothing can have been
    done before.
    """
    try:
        catalogue = load_catalogue(options.suite or "")
        rules = load_network_rules(options.network_rules)
        privacy = privacy_settings(options, catalogue)
        key = project_key(options, dry)
        calibrations = load_calibrations(options)
        models = model_settings(options, calibrations)
        if models and not dry:
            read_key(models[0].endpoint.key)
        answers = load_answers(options.output or "")
    except (
        AnswerError,
        CatalogueError,
        ConfigError,
        ConfigurationFault,
        ProjectKeyError,
        ScrubberConfigError,
    ) as error:
        raise UsageError(str(error)) from None
    check_against_catalogue(options, catalogue)
    prepared = affecting(options, "prepared") | {
        "code": code_version("prepared"),
        "ocr": ocr_fingerprint(privacy),
        "allow": sorted(privacy.scrubber.allow) if privacy.scrubber else [],
    }
    result = affecting(options, "result") | {
        "code": code_version("result"),
        "catalogue": catalogue.fingerprint,
        "prompt": prompt_version(options),
    }
    version = affecting(options, "version") | {"code": code_version("version")}
    keys = CheckpointKeys(
        project_key=key,
        # The key decides published ids and surrogates, so it is part of the salt, as an HMAC.
        prepared_salt=stable_hash(prepared, keyed_hex(key, "salt")),
        result_salt=stable_hash(result),
        answers={session: stable_hash(given) for session, given in answers.items()},
        forgotten=forgotten_sessions(options.private_root),
        key_uri="" if dry else options.project_key_file,
    )
    return RunSettings(
        options=options,
        run_id=new_run_id(),
        catalogue=catalogue,
        rules=rules,
        privacy=privacy,
        models=models,
        calibrations=calibrations,
        answers=answers,
        keys=keys,
        writing=stable_hash(version),
        config_hash=stable_hash(prepared, result, version),
    )


def project_key(options: Options, dry: bool = False) -> bytes:
    """Returns the project key, made if there is none; zeros for a ``dry`` run without one."""
    if not dry:
        make_private(options.private_root)
        given = options.privacy_key_file
        if given and not storage.exists(given):
            # Another key means other ids and surrogates: a mistyped path should be noticed.
            print(f"made a new project key: {given}", file=sys.stderr)
        return load_project_key(options.project_key_file)
    try:
        return load_project_key(options.project_key_file, create=False)
    except ProjectKeyError:
        if options.privacy_key_file:
            raise
        return bytes(32)


def privacy_settings(options: Options, catalogue: Catalogue) -> PrivacySettings:
    """Returns the PrivacyFilter's settings; an explicit --visual that needs OCR must have it.

    Names of Suites are the names of programs, so they are no names of people.
    """
    if options.privacy == "off":
        return PrivacySettings(None)
    scrubber = load_scrubber_config(options.scrubber_config)
    names = {suite.name.casefold() for suite in catalogue.suites}
    scrubber = dataclasses.replace(scrubber, allow=scrubber.allow | names)
    if options.visual not in (None, "withhold", "off"):
        from transforms.privacy.pixels.models import locate_models, models_folder

        if locate_models(models_folder()) is None:
            raise UsageError(
                f"--visual={options.visual} needs the OCR engine: install tracemill[ocr], or use "
                "--visual=withhold"
            )
    pixels = PixelSettings(mode=options.visual or "blur", frames_at_once=options.max_session_frames)
    return PrivacySettings(scrubber, pixels)


def ocr_fingerprint(privacy: PrivacySettings) -> str:
    """Names the networks that read pixels: others read other text, so they affect *prepared*."""
    if not privacy.enabled or privacy.pixels.mode in ("withhold", "off"):
        return ""
    from transforms.privacy.pixels.models import engine_fingerprint, models_folder

    return engine_fingerprint(models_folder())


def check_against_catalogue(options: Options, catalogue: Catalogue) -> None:
    """Refuses maps and targets that don't exist, naming those that do."""
    for target in options.target_names:
        if target not in TARGETS:
            raise UsageError(f"--targets {target}: one of {', '.join(sorted(TARGETS))}")
    if not options.target_names:
        raise UsageError(f"--targets is empty: name some of {', '.join(sorted(TARGETS))}")
    known = {name for m in catalogue.action_tool_maps for name in (m.id, m.name)}
    for name in options.action_tool_map:
        if name not in known:
            names = ", ".join(m.name for m in catalogue.action_tool_maps) or "none"
            raise UsageError(f"--action_tool_map {name}: {options.suite} has {names}")


def load_calibrations(options: Options) -> tuple[Calibration | None, ...]:
    """Returns the calibration of each model configuration; raises UsageError for a wrong file."""
    configurations = options.configurations
    if not options.calibration:
        return (None,) * len(configurations)
    try:
        data = storage.read_bytes(options.calibration)
        file = msgspec.json.decode(data, type=CalibrationFile)
    except msgspec.MsgspecError:
        raise UsageError(
            f"--calibration {options.calibration}: not a file that `tracemill evaluate --fit` made"
        ) from None
    names = [model_name(options, c) for c in configurations]
    found = tuple(file.of(n, c) for n, c in zip(names, configurations))
    if not any(found):
        fitted = ", ".join(
            f"{f.model} {msgspec.json.encode(f.model_configuration).decode()}" for f in file.fitted
        )
        raise UsageError(
            f"--calibration {options.calibration}: it was fitted for {fitted or 'nothing'}, which "
            f"is no model configuration of this run ({', '.join(sorted(set(names)))})"
        )
    return found


def model_name(options: Options, configuration: dict[str, Any]) -> str:
    """Returns the name under which a configuration's classifications are published."""
    if options.classifier == "offline":
        return OfflineClassifier.model.name
    return str(configuration.get("model", options.model))


def model_settings(
    options: Options, calibrations: tuple[Calibration | None, ...]
) -> tuple[ModelSettings, ...]:
    """Returns how each model configuration is asked; raises ConfigurationFault.

    The key is named, never read here: workers read it in ``setup``.
    """
    if options.classifier == "offline":
        return ()
    names = {model_name(options, c) for c in options.configurations}
    prices = load_prices(options.price_file)
    endpoint = EndpointSettings(
        base_url=options.model_base_url,
        key=options.model_key_file or "env:OPENAI_API_KEY",
        concurrency=options.model_concurrency_per_process,
        processes=model_processes(options),
        requests_per_minute=options.model_rpm,
        tokens_per_minute=options.model_tpm,
        max_calls=options.max_calls,
        max_usd=options.max_usd,
        prices=tuple((name, prices[name]) for name in sorted(names & set(prices))),
        timeout_s=options.request_timeout_s,
    )
    made = tuple(
        ModelSettings(
            model=model_name(options, configuration),
            endpoint=endpoint,
            cache=options.model_cache or storage.join(options.output or "", "cache"),
            configuration={k: v for k, v in configuration.items() if k != "model"},
            index=number,
            segments_per_request=options.segments_per_request,
            calibration=calibration.to_dict() if calibration else None,
        )
        for number, (configuration, calibration) in enumerate(
            zip(options.configurations, calibrations)
        )
    )
    for settings in made:
        settings.check()
    return made


def load_prices(path: str | None) -> dict[str, Prices]:
    """Returns model → prices of a file ``model: {prompt: USD, completion: USD}`` per million."""
    if not path:
        return {}
    import yaml

    try:
        data = yaml.safe_load(storage.read_bytes(path)) or {}
        return {name: msgspec.convert(entry, Prices) for name, entry in data.items()}
    except (yaml.YAMLError, msgspec.ValidationError, AttributeError):
        raise UsageError(
            f"--price_file {path}: takes `model: {{prompt: 0.15, completion: 0.60}}`, in USD per "
            "million tokens"
        ) from None


def prompt_version(options: Options) -> str:
    """Returns the version of what classifies: the prompt's, or the rules'."""
    return PROMPT_VERSION if options.classifier == "openai" else OfflineClassifier.prompt_version


def load_answers(output: str) -> dict[str, dict[str, Answer]]:
    """Returns what ``review/answers.jsonl`` says; nothing when there is none."""
    uri = storage.join(output, "review", "answers.jsonl")
    try:
        return read_answers(storage.read_bytes(uri))
    except FileNotFoundError:
        return {}


def forgotten_sessions(private: str) -> frozenset[str]:
    """Returns the published ids in ``PRIVATE/forgotten.txt``."""
    try:
        text = storage.read_bytes(storage.join(private, "forgotten.txt"))
    except FileNotFoundError:
        return frozenset()
    return frozenset(text.decode("ascii").split())
