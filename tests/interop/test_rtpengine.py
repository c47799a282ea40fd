"""The calls of browsers once more, with rtpengine in the place of our media gateway (PBX_MEDIA=ng://…)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop import test_web_calls, test_web_phone
from tests.interop.test_web_calls import (
    test_a_desk_phone_calls_a_web_phone as test_a_desk_phone_calls_a_web_phone,
)
from tests.interop.test_web_calls import (
    test_a_web_phone_calls_a_desk_phone as test_a_web_phone_calls_a_desk_phone,
)
from tests.interop.test_web_calls import (
    test_a_web_phone_with_opus_alone_is_transcoded_for_a_phone_with_g711 as test_a_web_phone_with_opus_alone_is_transcoded_for_a_phone_with_g711,
)
from tests.interop.test_web_calls import (
    test_chromium_and_a_phone_of_one_codec_hear_each_other as test_chromium_and_a_phone_of_one_codec_hear_each_other,
)
from tests.interop.test_web_calls import web_phones as web_phones
from tests.interop.test_web_phone import (
    test_a_page_and_a_desk_phone_call_each_other as test_a_page_and_a_desk_phone_call_each_other,
)
from tests.support.cast import merged
from tests.support.pbx_process import PbxProcess
from tests.support.rtpengine import Rtpengine

TONE = test_web_phone.TONE


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    """A Branchline of its own, which starts no gateway."""
    with (
        Rtpengine() as media,
        PbxProcess(environment={"PBX_MEDIA": f"ng://127.0.0.1:{media.control}"}) as running,
    ):
        assert not running.parts("-m sipengine.gateway")
        running.apply(merged([test_web_calls.CONFIGURATION, test_web_phone.CONFIGURATION]))
        yield running
