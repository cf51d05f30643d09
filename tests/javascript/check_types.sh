#!/usr/bin/env bash
# Check the types of the page's scripts. Called by `make lint` with the Python that has TFModel's packages.
set -euo pipefail
cd "$(dirname "$0")"
page=../../web/static/page
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund
document='import sys, msgspec; from web.documents.openapi import openapi_document; from web.routes import ROUTES
sys.stdout.buffer.write(msgspec.json.encode(openapi_document(ROUTES)))'
(cd ../.. && "$1" -c "$document") > node_modules/openapi.json
node_modules/.bin/openapi-typescript node_modules/openapi.json --output "$page/api_types.d.ts" > node_modules/openapi.log
node_modules/.bin/tsc --project tsconfig.json
