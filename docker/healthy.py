"""Exit with 0 if a URL answers with success. Images without curl use it as their health check."""

import sys
from urllib.request import ProxyHandler, build_opener

build_opener(ProxyHandler({})).open(sys.argv[1], timeout=4).close()
