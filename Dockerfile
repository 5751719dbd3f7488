# The daemon in a container: rules in /etc/wbox-notify, what it keeps in /data, secrets in /run/secrets.
# docs/install.md says how to run it; examples/docker/compose.yaml is made for it.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /app
# First what changes seldom. All is compiled here, for the file system of the container is read-only.
COPY locks/image.txt locks/
RUN pip --python /app/bin/python install --no-cache-dir --require-hashes --requirement locks/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY rules rules
COPY templates templates
COPY examples examples
COPY wbox_notify wbox_notify
RUN pip --python /app/bin/python install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --uid 1000 --no-create-home --home-dir /data --shell /usr/sbin/nologin wbox \
    && install --directory --owner 1000 --group 1000 --mode 700 /data \
    && install --directory /etc/wbox-notify
COPY --from=build /app /app
# A secret that compose or a swarm puts into /run/secrets is found by its name, as a credential of systemd is.
ENV PATH=/app/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WBOX_CONFIG=/etc/wbox-notify \
    WBOX_DATA_DIR=/data \
    WBOX_LISTEN=0.0.0.0:8725 \
    CREDENTIALS_DIRECTORY=/run/secrets
USER 1000:1000
WORKDIR /data
VOLUME /data
EXPOSE 8725
# Whether events can be stored. Whether the phone is linked says `wbox-notify status`: no new start would mend that.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8725/readyz', timeout=8)"]
ENTRYPOINT ["wbox-notify"]
CMD ["run"]
