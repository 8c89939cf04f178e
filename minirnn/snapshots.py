"""A net kept after every epoch: training from its first to its last, to be looked at."""

from . import scripts
from .checkpoints import Checkpoint, save_net


class Snapshots(Checkpoint):
    """A checkpoint that keeps the net of every epoch too, for `python -m minirnn stepper`."""

    def __call__(self, trainer):
        super().__call__(trainer)
        if trainer.position == 0:
            self.keep(trainer)

    def keep(self, trainer):
        """Write epoch-NNN.npz: the net as it is now."""
        path = self.path.with_name(f"epoch-{trainer.epoch:03d}.npz")
        save_net(path, trainer.net, self.settings)

    def begin(self, trainer):
        """Remove what another run has left, and keep the net that is not trained yet."""
        with scripts.alone_in(self.path.parent):
            for old in self.path.parent.glob("epoch-[0-9][0-9][0-9].npz"):
                old.unlink()
            self.keep(trainer)
