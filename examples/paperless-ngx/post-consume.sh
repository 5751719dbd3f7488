#!/bin/sh
# PAPERLESS_POST_CONSUME_SCRIPT: lets the rules of the hook "paperless" know of each new document.
# The file wbox-notify.header beside it has one line, "Authorization: Bearer SECRET"; only Paperless may read it.
here=$(dirname "$(readlink -f "$0")")
exec curl --silent --show-error --fail --max-time 10 --output /dev/null \
    --header "@$here/wbox-notify.header" \
    --form-string "id=$DOCUMENT_ID" \
    --form-string "file=$DOCUMENT_ORIGINAL_FILENAME" \
    --form-string "correspondent=$DOCUMENT_CORRESPONDENT" \
    --form-string "tags=$DOCUMENT_TAGS" \
    "${WBOX_HOOK:-http://127.0.0.1:8725/hook/paperless}"
