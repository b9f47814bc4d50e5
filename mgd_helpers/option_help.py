"""What `--help` says of commands and options, one clause each; the docstrings say the rest."""

COMMANDS = {
    "distill": "Make a folder of images, some per class, from a data set. Resumes.",
    "train": "Train a pipeline for small images: an autoencoder and a denoiser. Resumes.",
    "evaluate": "Compare image folders, made by any method, with a real data set.",
    "audit": "Ask whether a folder of images copies the training images.",
    "encode": "Write the latents of a data set into a file, for distill --latents.",
    "info": "Say what a folder holds, what made it, what lacks, and the command that goes on.",
}

DATA = "a data set by name (digits, imagenette, …), a folder of images, a Parquet file, or the id of a set on the hub"
FOLLOWING = "; by default that of the pipeline"

OPTIONS = {
    "data": DATA,
    "source": DATA,
    "against": f"what is compared with: {DATA}",
    "generated": "image folders, with one sub-folder per class",
    "folder": "a folder that distill, train or any other method made",
    "out": "the folder, or file, to write; nothing is written elsewhere",
    "config": "a TOML file of options, named as here; those on the command line win",
    "dry_run": "show data, classes, minutes and memory of the run, and make nothing",
    "images_per_class": "how many images of each class to make",
    "guidance": "how denoising is steered: none, mode, mgd3, manifold, released, match, transport, match+transport; "
    "auto tries several on images held back",
    "pipeline": "a shipped name, a folder, or an id on the hub; CLASS=PIPELINE, repeated, for one per class",
    "class_labels": "CLASS=LABEL, repeated, or a TOML file: the pipeline's label of each class",
    "class_map": "a TOML file of lines such as cat = 281, or CLASS=LABEL: what the pipeline calls each class",
    "prompt": "for pipelines of texts: a template such as 'a photo of a {name}', or CLASS=PROMPT, repeated",
    "negative_prompt": "for pipelines of texts: what images should not show",
    "image_to_image": "start from the real image nearest to each target, with this share of noise, from 0 to 1",
    "latents": "a file that mgd encode wrote, so that nothing is encoded again",
    "strategy": "which nodes of the tree are targets",
    "representative": "what stands for a node: its centroid, or its nearest member",
    "steps": "how many denoising steps",
    "guidance_scale": f"strength of classifier-free guidance{FOLLOWING}",
    "set_size": "how many images of a class are guided together, at most",
    "batch_size": "how many images are made at once, at most",
    "seed": "the seed of all random numbers",
    "method": "how images are made: diffusion, or without a denoiser nearest-real, random-real, herding, k-center, "
    "decoded-targets, round-trip",
    "strength": "the guidance's strength; by default its own",
    "window": "the guidance acts while the noise share exceeds this number; by default its own",
    "softness": "how much of the pull along the normal is taken off, for manifold",
    "n_neighbors": "how many neighbors span the tangent, for manifold",
    "rank": "how many dimensions the tangent has, for manifold",
    "report": "measure at the end what the set is worth",
    "image_size": f"the side of the images, in pixels{FOLLOWING}",
    "size": "the side of the images, in pixels; a multiple of 8",
    "channels": f"1 for gray, 3 for color{FOLLOWING}",
    "per_class": "read the first so many images of each class",
    "split": "hold back this share of each class for testing, where the data have no test split",
    "image_column": "the column of the images, where there are several",
    "label_column": "the column of the classes, where there are several",
    "students": "how many networks are trained on each set",
    "baselines": "set random real images, herding and the autoencoder's round trip beside",
    "rounds": "how many draws the intervals rest on",
    "device": "cpu, cuda, cuda:1, …; by default a GPU where there is one",
    "minutes": "how long training may take; split between autoencoder and denoiser",
    "precision": "numbers to train in: no, fp16 or bf16",
    "work": "the folder for checkpoints and log; by default training/ inside the pipeline's folder",
}
