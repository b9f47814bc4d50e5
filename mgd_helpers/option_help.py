"""What `--help` says of commands and options, one clause each; the docstrings say the rest."""

COMMANDS = {
    "distill": "Make a folder of images, some per class, from a data set. Resumes.",
    "train": "Train a pipeline for small images: an autoencoder and a denoiser. Resumes.",
    "evaluate": "Compare image folders, made by any method, with a real data set.",
    "audit": "Ask whether a folder of images copies the training images.",
    "encode": "Write the latents of a data set into a file, for distill --latents.",
    "info": "Say what a folder, or a file of latents, holds, what made it, what lacks, and the command that goes on.",
}

DATA = "a data set by name (digits, imagenette, …), a folder of images, a Parquet file, or the id of a set on the hub"
FOLLOWING = "; by default that of the pipeline"
ONLY_ONE = "; by default the one that is called so, or the only one"

OPTIONS = {
    "data": DATA,
    "against": f"what is compared with: {DATA}",
    "generated": "image folders, with one sub-folder per class",
    "path": "a folder that distill, train or any other method made, or a file that encode made",
    "out": "the folder to write; nothing is written elsewhere",
    "config": "a TOML file of options, named as here; those on the command line win",
    "dry_run": "show data, classes, minutes and memory of the run, and make nothing",
    "picture": "with --dry-run: a file, such as samples.png, for an unguided image of each class",
    "images_per_class": "how many images of each class to make",
    "guidance": "how denoising is steered: none, mode, mgd3, manifold, released, match, transport, match+transport; "
    "auto tries several on images held back",
    "pipeline": "a shipped name, a folder, or an id on the hub; CLASS=PIPELINE, repeated, for one per class; "
    "by default that of a set that is known by name",
    "class_labels": "CLASS=LABEL, repeated, or a TOML file: the pipeline's label of each class; "
    "by default looked up by the name of the class",
    "class_map": "a TOML file of lines such as cat = 281, or CLASS=LABEL: what the pipeline calls a class; by default "
    "the same as the data",
    "prompt": "for pipelines of texts: a template, by default 'a photo of a {name}', or CLASS=PROMPT, repeated",
    "image_to_image": "start from the real image nearest to each target, with this share of noise, from 0 to 1; by "
    "default from noise alone",
    "latents": "a file that mgd encode wrote; by default the images are encoded",
    "strategy": "which nodes of the tree are targets: levels or leaves",
    "representative": "what stands for a node: its centroid, or nearest_member",
    "steps": "how many denoising steps",
    "guidance_scale": f"strength of classifier-free guidance{FOLLOWING}",
    "set_size": "how many images of a class are guided together, at most",
    "batch_size": "how many images are made at once, at most",
    "seed": "the seed of all random numbers",
    "method": "how images are made: diffusion, or without a denoiser nearest-real, random-real, herding, k-center, "
    "decoded-targets, round-trip",
    "strength": "the guidance's strength; by default its own",
    "window": "the guidance acts while the noise share exceeds this number; by default its own",
    "softness": "how much of the pull along the normal is taken off, for manifold; by default its own",
    "n_neighbors": "how many neighbors span the tangent, or auto, for manifold; by default its own",
    "rank": "how many dimensions the tangent has, or auto, for manifold; by default its own",
    "report": "measure at the end what the set is worth",
    "image_size": f"the side of the images, in pixels{FOLLOWING}",
    "size": "the side of the images, in pixels, a multiple of 8; by default 32, and for a set known by name its own",
    "channels": "1 for gray, 3 for color; by default color where any image is",
    "per_class": "read the first so many images of each class; by default all",
    "split": "hold back this share of each class for testing, where the data have no test split",
    "image_column": f"the column of the images{ONLY_ONE}",
    "label_column": f"the column of the classes{ONLY_ONE}",
    "students": "how many networks are trained on each set",
    "baselines": "set random real images, herding and the autoencoder's round trip beside",
    "rounds": "how many draws the intervals rest on",
    "device": "cpu, cuda, cuda:1, …; by default the cpu",
    "minutes": "how long training may take, both networks together; by default until all steps are taken, up to hours",
    "precision": "numbers to train in: no, fp16 or bf16; by default no, which is float32",
    "work": "the folder for checkpoints and log; by default training/ inside the pipeline's folder",
}

# Where the same name says something else for one command
OF_ONE = {
    ("distill", "split"): "hold back this share of each class for testing; by default nothing",
    ("train", "out"): "the folder for the pipeline, its card and figures; the same folder goes on with its training",
    ("train", "split"): "hold back this share of each class to measure with; by default 0.2, or the test split",
    ("train", "seed"): "the seed of all random numbers; by default 0",
    ("train", "device"): "cpu, cuda, cuda:1, …; by default a GPU where there is one",
    ("evaluate", "pipeline"): "whose autoencoder the round trip is through; by default that of a set's record",
    ("audit", "generated"): "an image folder, with one sub-folder per class",
    ("encode", "out"): "the file for the latents, such as latents.safetensors; one that is there is replaced",
    ("encode", "pipeline"): "whose autoencoder encodes: a shipped name, a folder, or an id on the hub",
    ("encode", "split"): "hold back this share of each class, as distill does; by default nothing",
    ("encode", "channels"): f"1 for gray, 3 for color{FOLLOWING}",
}


def help_of(command: str, option: str) -> str:
    """What `mgd COMMAND --help` says of an option.

    >>> help_of("train", "seed"), help_of("distill", "seed")
    ('the seed of all random numbers; by default 0', 'the seed of all random numbers')
    """
    return OF_ONE.get((command, option)) or OPTIONS[option]
