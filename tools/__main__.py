"""The command line: `python -m tools` lists what there is. Each command loads only what it needs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; without one, list them."""
    parser = argparse.ArgumentParser(prog="python -m tools", description="Make the book and its parts.")
    commands = parser.add_subparsers(dest="command", title="commands")

    command = commands.add_parser("build", help="run what changed of the labs and build the book")
    command.add_argument("root", nargs="?", type=Path, default=ROOT, help="of the book; default: this one's")

    command = commands.add_parser("figures", help="draw the figures of the theory pages; write the playground's points")
    command.add_argument("--png", type=Path, metavar="FOLDER", help="write PNG copies as well, to look at")

    commands.add_parser("animations", help="draw the animations of the theory pages, book/_static/animations/")

    command = commands.add_parser("student", help="cut the solutions out of the labs; write a folder to hand out")
    command.add_argument("--out", type=Path, metavar="FOLDER", default=ROOT / "_build" / "student", help="%(default)s")
    command.add_argument("--without-wheel", action="store_true", help="labs and page alone")

    command = commands.add_parser("slides", help="make a deck of slides for each chapter, to show without a network")
    command.add_argument("--out", type=Path, metavar="FOLDER", default=ROOT / "_build" / "slides", help="%(default)s")

    command = commands.add_parser("pdf", help="print the theory pages of the built book; takes a Chromium")
    command.add_argument(
        "--out", type=Path, metavar="FILE", default=ROOT / "_build" / "pdf" / "theory.pdf", help="%(default)s"
    )

    command = commands.add_parser(
        "artifacts", help="all that a release consists of, from the built book, with checksums"
    )
    command.add_argument("--out", type=Path, metavar="FOLDER", default=ROOT / "_build" / "release", help="%(default)s")

    commands.add_parser("links", help="ask the web for every address that the book links to; takes a network")

    commands.add_parser("clocks", help="run every lab, and keep the seconds that the machine needs, tools/clocks.json")

    command = commands.add_parser("train", help="train a shipped pipeline from scratch; resumes")
    command.add_argument("profile", help="digits, fashion_mnist or cifar10")
    command.add_argument("--out", type=Path, metavar="FOLDER", help="default: mgd_helpers/pretrained/<profile>")
    command.add_argument("--work", type=Path, metavar="FOLDER", help="for checkpoints; default: build/train/<profile>")

    command = commands.add_parser("release", help="set the version, build the wheel, stamp both into the labs")
    command.add_argument("version", nargs="?", help="such as 0.2.0; without it, a release is only checked")
    command.add_argument("--out", type=Path, metavar="FOLDER", default=ROOT / "_build" / "wheel", help="%(default)s")

    commands.add_parser("stamp", help="write set-up cell, badge and links into every lab, as contract and address want")

    commands.add_parser("wheel-address", help="print where the wheel of the last release lies, with its hash")

    command = commands.add_parser("address", help="give the project another address, everywhere: for a fork")
    command.add_argument("url", help="https://github.com/OWNER/NAME")

    command = commands.add_parser("constraints", help="make pip's constraints from the freeze that Colab publishes")
    command.add_argument("freeze", type=Path, help="pip-freeze.txt of github.com/googlecolab/backend-info")
    command.add_argument("--out", type=Path, required=True, metavar="FILE")

    command = commands.add_parser("colab", help="run every lab as on Colab, from the wheel: see .ci/colab")
    command.add_argument("labs", nargs="*", help="parts of names, such as 05; default: all")
    command.add_argument("--elsewhere", action="store_true", help="as on a machine that is no Colab")
    command.add_argument("--work", type=Path, metavar="FOLDER", default=ROOT / "build" / "colab", help="%(default)s")

    command = commands.add_parser("reference", help="run a lab, and keep its numbers as the reference run")
    command.add_argument("lab", help="its number, such as 13")
    command.add_argument("--set", nargs="+", default=[], metavar="NAME=TEXT", help="other parameters: BUDGET=full")
    command.add_argument("--work", type=Path, metavar="FOLDER", help="to run in; default: build/reference/<lab>")

    options = parser.parse_args(arguments)
    match options.command:
        case "build":
            from tools import build_book

            return build_book.build(options.root.resolve())
        case "figures":
            from tools import figures, playground, previews

            into = ROOT / "book" / previews.FOLDER
            figures.write(
                ROOT / "book" / "figures", png=options.png, previews_in=into, previews_of=previews.needed(ROOT)
            )
            playground.write(ROOT / "book" / "_static")
        case "animations":
            from tools import animations

            animations.write(ROOT / "book" / "_static" / "animations")
        case "student":
            from tools import student

            labs = student.write(ROOT, options.out.resolve(), wheel=not options.without_wheel)
            print(f"{len(labs)} labs for students: {options.out.resolve()}")
        case "slides":
            from tools import slides

            decks = slides.write(ROOT, options.out.resolve())
            print(f"{len(decks)} decks: {options.out.resolve() / 'index.html'}")
        case "pdf":
            from tools import pdf

            print(f"The theory pages: {pdf.write(ROOT, ROOT / '_build' / 'html', options.out.resolve())}")
        case "artifacts":
            from tools import artifacts

            print("\n".join(map(str, artifacts.write(ROOT, ROOT / "_build" / "html", options.out.resolve()))))
        case "links":
            from tools import links

            return links.check(ROOT)
        case "clocks":
            from tools import clocks

            clocks.write()
        case "train":
            from tools import train_pipeline

            if options.profile not in train_pipeline.SETTINGS:
                parser.error(f"profile must be one of {', '.join(train_pipeline.SETTINGS)}; got {options.profile!r}.")
            folder = train_pipeline.make_pipeline(options.profile, out=options.out, work=options.work)
            print((folder / "README.md").read_text())
        case "release":
            from tools import release

            if not options.version:
                found = release.complaints(ROOT)
                print("\n".join(found) or "The labs install the wheel of this state.")
                return int(bool(found))
            options.out.mkdir(parents=True, exist_ok=True)
            wheel = release.prepare(ROOT, options.version, options.out)
            print(release.NEXT.format(version=options.version, wheel=wheel))
        case "stamp":
            from tools import release

            print(*(path.relative_to(ROOT) for path in release.stamp(ROOT)), sep="\n")
        case "wheel-address":
            from tools import address, release

            print(release.read(ROOT).wheel(address.read(ROOT)))
        case "address":
            from tools import address

            try:
                changed = address.rewrite(ROOT, address.Address.of(options.url))
            except ValueError as error:
                parser.error(str(error))
            print(*(path.relative_to(ROOT) for path in changed), sep="\n")
            print("The wheel names the address, too, so it has another hash now: make release VERSION=… is next.")
        case "constraints":
            from tools import constraints

            options.out.write_text(constraints.from_freeze(options.freeze.read_text()))
        case "colab":
            from tools import colab

            options.work.mkdir(parents=True, exist_ok=True)
            labs, page = colab.rehearse(ROOT, options.work)
            labs = [lab for lab in labs if any(part in lab.name for part in options.labs or [""])]
            wrong = colab.run(labs, page, options.work, tag=None if options.elsewhere else "rehearsal")
            print("\n\n".join(wrong) or f"{len(labs)} labs passed.")
            return int(bool(wrong) or not labs)
        case "reference":
            from tools import reference

            print(f"kept in {reference.main(options.lab, options.set, folder=options.work)}")
        case _:
            parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
