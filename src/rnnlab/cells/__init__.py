"""The mathematics of recurrent cells: equation, citation, gate order, step()."""

from rnnlab.cells.cell import Cell, Gate, State, Weights
from rnnlab.cells.gru import GRU
from rnnlab.cells.lstm import LSTM
from rnnlab.cells.rnn import RNN_RELU, RNN_TANH

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN_TANH, RNN_RELU, GRU(), LSTM())}

__all__ = ["CELLS", "Cell", "Gate", "State", "Weights"]
