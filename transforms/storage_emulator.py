"""A GCS emulator has no credentials, and Beam's own client would look for some for 20 seconds.

Sessions and outputs don't go through that client (see ``transforms.object_stores``), but what Beam
itself stages on ``gs://`` does: the graph and the packages of a Dataflow template.
"""

from __future__ import annotations

import os

VARIABLE = "STORAGE_EMULATOR_HOST"


def skip_credentials() -> bool:
    """Makes Beam connect anonymously in this process if an emulator is named; returns whether.

    Beam has no option for it (``no_auth`` still asks), so its cache of credentials is filled; the
    release is pinned in setup.py, and a test notices when the cache is no longer there.
    """
    if not os.environ.get(VARIABLE):
        return False
    try:
        from apache_beam.internal.gcp import auth
    except ImportError:
        return False
    if not hasattr(auth._Credentials, "_credentials_init"):
        return False
    auth._Credentials._credentials_init = True
    auth._Credentials._credentials = None
    return True
