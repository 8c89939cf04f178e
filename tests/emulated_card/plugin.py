"""`pytest -p emulated_card.plugin`: what is marked gpu runs on the emulated card."""

from . import card

card.insert(pool=False)
