"""What `redactor` takes out of URLs."""

from __future__ import annotations

import pytest

from dataspine.adapters.redactor import Redactor


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://u:p@h:8080/a?b=1#c", "https://h:8080/a?b=1"),
        ("https://h/?API_KEY=x&token=&Key&secret=y%26", "https://h/?API_KEY=***&token=***&Key&secret=***"),
        ("https://h/?access-token=x&page_token=2", "https://h/?access-token=***&page_token=2"),
        ("https://h/s3cr3t%2F%2B%20value/s3cr3t%2F%2B+value", "https://h/***/***"),
    ],
)
def test_a_url_is_shown_without_user_and_secrets(url, redacted):
    assert Redactor(["s3cr3t/+ value", ""]).url(url) == redacted
