#!/bin/sh
# SPDX-License-Identifier: MIT
#
# page-data.sh FILE...: prints a header with an array of bytes for each file, which holds the
# file as gzip packs it. page.html becomes page_html.
set -eu

for file in "$@"; do
	printf 'static const unsigned char %s[] = {\n' "$(basename "$file" | tr . _)"
	gzip -9n <"$file" | od -An -v -tu1 | sed 's/ *$/ /; s/\([0-9]\) /\1,/g'
	echo '};'
done
