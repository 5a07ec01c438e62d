"""A pass after which the loss is sure to be worse, whatever the last digits of the weights."""

import torch
from skorch.callbacks import Callback


class SpoiledPass(Callback):
    """Turns the head's weights around as one pass begins."""

    def __init__(self, number):
        self.number = number

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.number:
            with torch.no_grad():
                net.module_.classifier.weight.mul_(-20)
