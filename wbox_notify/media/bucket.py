"""A bucket of S3, or of a compatible service: copies are uploaded, and lent by links that expire.

Import it late: its library is an extra.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import certifi
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from wbox_notify.clients.transport import cause
from wbox_notify.config.media import Bucket
from wbox_notify.media.ingest import MediaError
from wbox_notify.media.kinds import disposition
from wbox_notify.media.spool import Item
from wbox_notify.model.texts import Wording

_TIMEOUT = Timeout(connect=10.0, read=60.0)
_SERVER_ERROR = 500
_PASSING = {"RequestTimeout", "RequestTimeTooSkewed", "TooManyRequests"}
"""Errors that pass, though a bucket reports them as errors of the client."""


def upload(bucket: Bucket, item: Item, copy: Path, now: float, ends: float) -> str:
    """Upload a copy unless it is there; return its signed address, which works until ``ends``.

    Raises:
        MediaError: the bucket refuses it; ``retry`` says whether that may pass.
    """
    name = _name(bucket, item)
    headers = {"Content-Disposition": disposition(item.name, item.type), "Cache-Control": "private, no-store"}
    with _client(bucket) as client:
        if not _is_there(client, bucket, item):
            with copy.open("rb") as file:
                # One part after the other: each is held in memory.
                client.put_object(
                    bucket.name, name, file, item.size, item.type, {**headers}, num_parallel_uploads=1
                )
        return client.presigned_get_object(
            bucket.name,
            name,
            timedelta(seconds=max(int(ends - now), 1)),
            request_date=datetime.fromtimestamp(now, UTC),
        )


def remove(bucket: Bucket, item: Item) -> None:
    """Delete a copy from the bucket.

    Raises:
        MediaError: it is still there; ``retry`` says that the bucket cannot be reached at all.
    """
    with _client(bucket) as client:
        client.remove_object(bucket.name, _name(bucket, item))


def _is_there(client: Minio, bucket: Bucket, item: Item) -> bool:
    try:
        return client.stat_object(bucket.name, _name(bucket, item)).size == item.size
    except S3Error:
        return False  # also where we may not look: then the upload fails with the reason


@contextmanager
def _client(bucket: Bucket) -> Iterator[Minio]:
    """Give a client; its errors are shown without the text of an answer, which may quote a signature."""
    parts = urlsplit(bucket.endpoint)
    # Nothing from the environment, no redirect that would take a signature elsewhere, no retry: the queue
    # has its own.
    pool = PoolManager(timeout=_TIMEOUT, retries=False, ca_certs=certifi.where())
    try:
        yield Minio(
            parts.netloc,
            bucket.key_id,
            bucket.secret,
            secure=parts.scheme == "https",
            region=bucket.region,
            http_client=pool,
        )
    except S3Error as error:
        code = re.sub("[^A-Za-z].*", "", error.code or "", flags=re.DOTALL)[:50]
        retry = error.response.status >= _SERVER_ERROR or code in _PASSING
        raise MediaError(
            Wording("the bucket {name} refuses: {code}", name=bucket.name, code=code), retry=retry
        ) from None
    except (MinioException, ParseError, UnicodeDecodeError):
        raise MediaError(
            Wording("{host} does not answer as a bucket does", host=parts.netloc), retry=True
        ) from None
    except HTTPError as error:
        raise MediaError(
            Wording("{host} cannot be reached: {reason}", host=parts.netloc, reason=cause(error)), retry=True
        ) from None
    except ValueError as error:
        raise MediaError(
            Wording("the bucket {name} cannot be used: {error}", name=bucket.name, error=error)
        ) from None
    finally:
        pool.clear()


def _name(bucket: Bucket, item: Item) -> str:
    return f"{bucket.prefix}{item.id}/{item.name}"
