"""What a release says of its pipeline holds no credential, wherever the pipeline had one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from factory.release.build import build_release
from factory.release.credentials import HIDDEN, without_credentials, yaml_without_credentials
from factory.release.spec import FinishedStep, ReleaseSpec

SECRET = "S3cr3tPassw0rdThatMustGo"
HOLDERS = [
    "base_url: http://user:{}@host:8000/v1",
    "base_url: [http://a:1, 'https://user:{}@host/v1']",
    'base_url: "http://user:{}p@ss/w@host"',
    "files: https://{}@example.org/data.jsonl",
    "files: s3://key:{}@bucket/data.parquet",
    "files: git+https://oauth2:{}@git.example.org/a.git",
    "files: https://example.org/a.jsonl?page=2&api_key={}&x=1",
    "files: 'https://a.blob.core.windows.net/c/d?sv=2020&sig={}'",
    "files: https://b.s3.amazonaws.com/a?X-Amz-Credential={0}&X-Amz-Signature={0}",
    "headers: {{Authorization: 'Bearer {}'}}",
    "headers: {{authorization: Bearer {}}}",
    "headers:\n  X-Api-Key: {}\n  Accept: a",
    "extra_body:\n  api_key: >-\n    {}\n  other: 1",
    "storage_options:\n  key: a\n  secret: |\n    {}\n  other: 1",
    "storage_options: {{aws_secret_access_key: {0}, aws_session_token: '{0}'}}",
    "password: !!str {}",
    "password: [{0}, '{0}']",
    "a: &p {{client_secret: {}}}\nb: *p",
    "hf_token: {}  # mine",
    "# run it with Authorization: Bearer {}\na: 1",
    "# curl http://me:{}@host/",
    "note: 'key sk-proj-{}'",
    "note: hf_{}",
    "a: {{broken: [\nb: http://user:{}@host/",
]


@pytest.mark.parametrize("text", HOLDERS)
def test_a_credential_is_taken_out_and_the_file_still_reads(text: str) -> None:
    text = text.format(SECRET)
    found = yaml_without_credentials(text)
    assert SECRET not in found, found
    assert HIDDEN in found
    try:
        before = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    after = yaml.safe_load(found)
    assert type(after) is type(before)
    if isinstance(before, dict):
        assert list(after) == list(before), "a field is gone"
        assert SECRET not in str(without_credentials(before)), "the same value in a manifest keeps it"


HARMLESS = [
    "base_url: http://localhost:8000/v1\napi_key_env: OPENAI_API_KEY",
    "files: abfs://container@account.dfs.core.windows.net/a.parquet",
    "base_url: http://host:8000/@scope/v1",
    "max_tokens: 64\ntoken_budget: 1000\ntokens_per_minute: 9\ntoken_limit: max_tokens",
    "secret: null\npassword:\n",
    "author: me@example.org  # mail me@example.org",
    "by: key\nkey: prompt\nanswer_key: reference",
    "tokenizer: a\ntoken_column: ids\nprompt_tokens: 3",
    "description: the password of the problem is 42; a bearer of tokens",
    "pattern: '(?:sk|a)-[0-9]+'\nx: risk-averse-people-like-to-wait",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_credential_stays_as_it_is_written(text: str) -> None:
    assert yaml_without_credentials(text) == text
    assert without_credentials(yaml.safe_load(text)) == yaml.safe_load(text)


def test_no_file_of_a_release_says_what_the_pipeline_kept_secret(
    steps: list[FinishedStep], tmp_path: Path
) -> None:
    written = f"resources:\n  sample: {{base_url: 'http://user:{SECRET}@host/v1', cpus: 2}}\n"
    reports = {
        steps[0].name: {"url": f"https://u:{SECRET}@h/", "headers": {"Authorization": f"Bearer {SECRET}"}}
    }
    made = build_release(
        ReleaseSpec(),
        steps,
        root=str(tmp_path),
        pipeline_name="sums",
        pipeline_yaml=written,
        provenance={"stages.sample.teacher": f"published at ftp://u:{SECRET}@h"},
        reports=reports,
    )
    texts = [path for path in Path(made.url).rglob("*") if path.suffix in (".yaml", ".json", ".md", ".html")]
    assert len(texts) >= 5
    for path in texts:
        assert SECRET not in path.read_text(), f"{path.name} says it"
    assert "cpus: 2" in Path(made.url, "pipeline.yaml").read_text(), "the rest of the pipeline is as it was"
