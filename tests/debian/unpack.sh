# Programs of Debian for one folder: packages/ beside the script that reads this file, which has set
#
#   here   its folder
#
# They are unpacked with the libraries and the loader of their release: that takes no root, works on other releases too,
# and nothing is started or changed elsewhere.
umask 022 # whoever installs, nobody is to be able to run them

side=$here/packages.new # renamed in the end, so that one cut short never looks finished

private() { # apt with lists, cache and sources of its own
    tool=$1 && shift
    "$tool" -qq -o Dir::State::Lists="$side/lists" -o Dir::Cache="$side/cache" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::SourceList="$side/sources.list" -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@"
}

begin() { # the releases
    trap 'rm -rf "$side"' EXIT
    rm -rf "$side" && mkdir -p "$side/lists/partial" "$side/cache/archives/partial" "$side/bin" "$side/lib"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    # The mirror that this machine has its own packages from; of another distribution, DEBIAN_MIRROR names one.
    mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 debian)}
    printf "deb [signed-by=$key] $mirror %s main\n" "$@" > "$side/sources.list"
    private apt-get update
}

unpack() { # a release and its packages
    mkdir -p "$side/$1/deb" && cd "$side/$1/deb"
    release=$1 && shift
    private apt-get download $(printf "%s/$release " "$@")
    for package in *.deb; do dpkg-deb -x "$package" "$side/$release"; done
}

libraries_of() { # the release whose libraries and loader all programs get
    find "$side/$1" -name 'lib*.so.*[0-9]' ! -path '*/security/*' -exec cp -P {} "$side/lib/" \;
    find "$side/$1/usr" -name 'ld-linux*' -exec cp -L {} "$side/lib/loader" \;
}

program() { # its name here, the unpacked file: a command that runs it, wherever packages/ is moved to
    cp -L "$side/$2" "$side/lib/$1"
    cat > "$side/bin/$1" <<-COMMAND
	#!/bin/sh
	lib=\$(dirname "\$0")/../lib
	exec "\$lib/loader" --library-path "\$lib" "\$lib/$1" "\$@"
	COMMAND
    chmod 755 "$side/bin/$1"
}

end() { # the releases
    for release; do rm -rf "${side:?}/$release"; done
    rm -rf "$side/lists" "$side/cache" "$side/sources.list" "$here/packages"
    mv "$side" "$here/packages"
}
