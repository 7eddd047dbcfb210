# The four things a newcomer does: up, test, bench, down. Everything here can be done twice.

SHELL := /bin/sh
CARGO ?= cargo
# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)
HOME_DIR ?= /var/lib/husorden/demo
APT := DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq --no-install-recommends install
# The PostgreSQL of this Debian: 15 in Debian 12, 17 in Debian 13.
POSTGRESQL := $(shell . /etc/os-release; if [ "$${VERSION_ID:-13}" = 12 ]; then echo postgresql-15; else echo postgresql-17; fi)
# What the platform itself starts, and what the tests and the benches use beside it.
HOST := crun btrfs-progs nftables conntrack iproute2 mmdebstrap zstd $(POSTGRESQL) busybox-static ca-certificates curl
# The panel is driven in a real browser. npm comes with some packages of Node.js and not with others: the test says so when it
# is not there.
# Databases are asked by other people's clients.
# Backups are read by stock restic and age, and lie with OpenSSH and behind rclone's REST server.
TEST := $(HOST) restic age libfaketime openssh-client openssh-server openssh-sftp-server rclone openssl libfcgi-bin chromium nodejs mariadb-client-core python3-psycopg2 python3-pymysql
BENCH := $(TEST) borgbackup wrk nginx-light apache2-utils php-fpm

.PHONY: up down test bench faults debian clean packages-host packages-test packages-bench

## up: install what is missing, build, look at the machine, start the platform with a demo site
up: packages-host
	$(CARGO) build --release --bin husorden
	$(TARGET)/release/husorden doctor
	$(TARGET)/release/husorden up --demo --detach

## down: stop it and leave nothing but its data
down:
	@if [ -x $(TARGET)/release/husorden ]; then $(TARGET)/release/husorden down; \
	 else echo "$(TARGET)/release/husorden is not built: nothing of this checkout runs"; fi

## test: formatting, lints, every test; needs root, for the tests run on real engines
test: packages-test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) build --workspace --quiet   # the house tests run the binary itself
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	   $(CARGO) nextest run --workspace --no-fail-fast; \
	 else \
	   echo "cargo-nextest is not installed; cargo test does the same, one crate after the other"; \
	   $(CARGO) test --workspace --no-fail-fast; \
	 fi

## bench: ours beside the peer; NAME='edge.*' for some
NAME ?= *
bench: packages-bench
	$(CARGO) build --release --workspace
	@found=0; for bench in bench/$(NAME); do \
	   if [ -f "$$bench" ] && [ -x "$$bench" ]; then found=1; echo "== $$bench"; "$$bench" || exit 1; fi; \
	 done; if [ $$found = 0 ]; then echo "no bench is called $(NAME); there are:"; ls bench; exit 2; fi

## clean: stop it and remove its data and what was built
clean: down
	rm -rf $(HOME_DIR)
	$(CARGO) clean

# The platform's PostgreSQL is its own: Debian's package must not start one beside it.
# A package that is there is not asked for: the second run costs no time and needs no network.
packages-host: PACKAGES = $(HOST)
packages-test: PACKAGES = $(TEST)
## faults: seeded harms to backup repositories, and by which look each is found
faults: packages-test
	$(CARGO) test --quiet -p husorden-backup --test backup -- --exact corrupt::three_hundred_harms_are_found --nocapture

## debian: a Debian server from its first boot to the proof of its backup, which takes long where guests are emulated; IMAGE=debian-12 for another
IMAGE ?= debian-13
debian: packages-test
	$(CARGO) build --workspace --quiet
	IMAGE=$(IMAGE) $(CARGO) test --quiet --workspace --test house -- --exact --ignored --nocapture \
	  debian::a_debian_server_from_its_first_boot_to_the_proof_of_its_backup

packages-bench: PACKAGES = $(BENCH)
packages-host packages-test packages-bench:
	@missing=; for package in $(PACKAGES); do \
	   case "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" in installed) ;; *) missing="$$missing $$package";; esac; \
	 done; \
	 if [ -n "$$missing" ]; then \
	   echo "installing:$$missing"; \
	   mkdir -p /etc/postgresql-common/createcluster.d; \
	   echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/husorden.conf; \
	   apt-get -o DPkg::Lock::Timeout=120 -qq update && $(APT) $$missing; \
	 fi
