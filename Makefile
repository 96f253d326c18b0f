# `make capture`, `make test`: each sets up .venv itself, once. See README.md.

VIDEO ?= samples/walk_front.mp4
OUT ?= out
# as they were typed: a $ in a file name is no variable, and the shell gets them as environment, so quotes are safe
override VIDEO := $(value VIDEO)
override OUT := $(value OUT)
export VIDEO OUT

READY := .venv/ready
PYTHON := .venv/bin/python
OTHER_BLENDERS = $(shell sed -n 's/^other-blenders = \[\(.*\)\]/\1/p' pyproject.toml | tr -d '",')

NEWEST_BLENDER = $(shell sed -n 's/^blender = \["bpy==\(.*\)"\]/\1/p' pyproject.toml)

.PHONY: capture test test-product test-training test-fast lint test-blenders test-gui test-zip zips
.DELETE_ON_ERROR:

capture: $(READY)
	@$(PYTHON) batch.py "$$VIDEO" --out "$$OUT" --format blend,bvh,fbx,glb

test: test-product test-training

test-product: $(READY)
	$(PYTHON) -m pytest --ignore=tests/training

# in CI three suites share two cores: those that measure short times go first
test-training: $(READY)
	nice -n 10 $(PYTHON) -m pytest tests/training

# without what captures, detects or starts other programs
test-fast: $(READY)
	$(PYTHON) -m pytest -m "not slow"

lint: $(READY)
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) scripts/check_types.py

# the suite on the other supported Blenders; everything but bpy is shared, and what never imports it can't differ
test-blenders: $(READY)
	@$(MAKE) --no-print-directory $(addprefix test-bpy-,$(OTHER_BLENDERS))

# in a real window: Debian's Blenders, 4.3 and the newest; screenshots go to out/gui
test-gui: test-gui-trixie test-gui-sid

test-gui-%: $(READY)
	$(PYTHON) scripts/in_debian.py $* $(PYTHON) -m pytest tests/gui/check_window.py

test-bpy-%: .cache/bpy-%/ready
	PYTHONPATH="$(CURDIR)/.cache/bpy-$*" $(PYTHON) -m pytest --ignore=tests/training --ignore=tests/bench \
		--ignore=tests/wheels --ignore=tests/core --ignore=tests/inference --ignore=tests/test_set_up.py \
		-m "not any_blender"

zips: $(READY)
	$(PYTHON) -m wheels build light linux-x64 windows-x64 macos-arm64

# the zip that needs nothing else, on each supported Blender
test-zip: $(READY)
	@set -e; for version in $(NEWEST_BLENDER) $(OTHER_BLENDERS); do \
		$(MAKE) --no-print-directory .cache/bpy-$$version/ready; done
	$(PYTHON) -m wheels build light linux-x64
	$(PYTHON) -m pytest tests/wheels/check_zips.py

.PRECIOUS: .cache/bpy-%/ready
.cache/bpy-%/ready: | $(READY)
	rm -rf $(@D)
	$(PYTHON) -m pip --disable-pip-version-check install --quiet --no-deps --target $(@D) bpy==$*
	touch $@

$(READY): pyproject.toml scripts/set_up.py
	@for python in python3.11 python3 python; do \
		if $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null; then \
			exec $$python scripts/set_up.py; \
		fi; \
	done; \
	echo "Kinelift needs Python 3.11: install it so that 'python3.11' or 'python3' runs it, then run make again." >&2; \
	exit 1
