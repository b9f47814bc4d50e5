from mgd_helpers.encoding.callers import calling_pipeline


def found(part, thing, **options):
    return calling_pipeline(part, thing, **options)  # as a wrapper asks, two frames below the caller


class DiffusionPipeline:
    scheduler = object()

    def __call__(self, depth=0):
        return self.deeper(depth) if depth else found("scheduler", self.scheduler)

    def deeper(self, depth):
        return below(self.scheduler, depth)


def below(thing, depth):
    return found("scheduler", thing) if depth == 1 else below(thing, depth - 1)


class Loop:
    def __init__(self, scheduler):
        self.scheduler = scheduler

    def run(self):
        return found("scheduler", self.scheduler)


def test_the_pipeline_is_found_up_the_stack_and_nobody_else_is():
    pipe = DiffusionPipeline()
    assert pipe() is pipe
    assert pipe(3) is pipe
    assert pipe(50) is None  # too far away
    assert Loop(pipe.scheduler).run() is None
    assert found("scheduler", object()) is None
