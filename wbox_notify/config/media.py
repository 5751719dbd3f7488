"""How files of this machine reach wbox: from the daemon, a web server's folder or a bucket."""

from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from wbox_notify.config.fields import Count, FolderPath, PublicUrl, Size, as_public_url, matching, option
from wbox_notify.config.yaml.validation import Strict, invalid, parsed
from wbox_notify.errors import ConfigError


def _endpoint(text: str) -> str:
    url = as_public_url(text)
    if urlsplit(url).path:
        raise ConfigError("this address ends in a path", hint="the bucket stands under `name:`")
    return url


_Endpoint = parsed(_endpoint)
_Name = matching(
    "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "{text} cannot be the name of a bucket",
    "it has 3 to 63 small letters, digits, `-` and `.`",
)
_Region = matching("[A-Za-z0-9_-]{1,63}", "{text} cannot be a region", "write it as eu-central-1, or auto")
_KeyId = matching(
    "[A-Za-z0-9._-]{1,128}",
    "this cannot be the id of a key",
    "write the id of the key; its secret stands elsewhere",
)
_Prefix = matching("([A-Za-z0-9_-][A-Za-z0-9._-]*/){0,9}", "{text} cannot be a prefix", "write it as wbox/")


class Static(Strict):
    """A folder that a web server of yours serves."""

    folder: FolderPath = Field(description="the folder to put files into")
    url: PublicUrl = Field(description="the address at which the folder is served")


class Bucket(Strict):
    """A bucket of S3 or a compatible service: R2, MinIO, Backblaze B2."""

    name: Annotated[str, _Name] = Field(description="the name of the bucket")
    endpoint: Annotated[str, _Endpoint] = Field(
        description="the address of its service: `https://s3.eu-central-1.amazonaws.com`"
    )
    region: Annotated[str, _Region] = Field(
        description="its region, such as `eu-central-1`; `auto` where there are none"
    )
    key_id: Annotated[str, _KeyId] = Field(description="the id of the access key")
    # In the file it is the name of a secret, in the settings its value.
    secret: str = Field(
        repr=False, description="the name of the entry in `secrets` that holds the secret access key"
    )
    prefix: Annotated[str, _Prefix] = option("wbox/", "the prefix of the names of all objects")


class Media(Strict):
    """How files of this machine reach wbox."""

    static: Static | None = Field(
        default=None, description="a folder that a web server of yours serves, instead of the daemon"
    )
    bucket: Bucket | None = Field(
        default=None, description="a bucket that files are uploaded to, instead of the daemon"
    )
    quota: Size = option("1GB", "the most disk space for copies of files")
    image: Size = option("5MB", "the largest image")
    video: Size = option("16MB", "the largest video")
    audio: Size = option("16MB", "the largest audio file")
    document: Size = option("100MB", "the largest file of any other kind")
    fetches: Count = option(20, "the most complete downloads of a link")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.static and self.bucket:
            raise invalid("WBX215", "`static` and `bucket` cannot be used together")
        return self

    @property
    def largest(self) -> Mapping[str, int]:
        """The most bytes of a file, by its kind."""
        return {"image": self.image, "video": self.video, "audio": self.audio, "document": self.document}

    @property
    def elsewhere(self) -> str | None:
        """The address that lends files in place of the daemon, or None."""
        if self.bucket:
            return self.bucket.endpoint
        if self.static:
            return self.static.url
        return None
