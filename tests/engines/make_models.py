#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the models of this folder: one small network as ONNX, as TorchScript and as two ExecuTorch programs.

    pip install torch executorch onnx
    make_models.py FOLDER
"""
import json
import sys
import warnings
from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.head = torch.nn.Linear(4, 3)

    def forward(self, x):
        pooled = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.head(pooled), torch.tanh(pooled)


class Named(torch.nn.Module):
    def forward(self, a, index):
        return {"sum": a.sum(-1), "picked": a[:, index]}


def note(names, *inputs):
    noted = [{"name": n, "dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape)} for n, t in inputs]
    return {"oree.json": json.dumps({"inputs": noted, "outputs": [{"name": n} for n in names]})}


def main():
    folder = Path(sys.argv[1])
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    model = Small().eval()
    model.norm.running_mean.uniform_(-0.2, 0.2)
    model.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 1, 6, 6)
    traced = torch.jit.trace(model, x)
    torch.jit.save(traced, folder / "bare.pt")
    torch.jit.save(traced, folder / "small.pt", _extra_files=note(["scores", "features"], ("x", x)))
    torch.onnx.export(model, (x,), folder / "small.onnx", input_names=["x"], output_names=["scores", "features"], dynamo=False)
    pair = (torch.randn(2, 4), torch.tensor([0, 3]))
    named = torch.jit.trace(Named(), pair, strict=False)
    torch.jit.save(named, folder / "named.pt", _extra_files=note([], ("a", pair[0]), ("index", pair[1])))
    torch.save(model.state_dict(), folder / "checkpoint.pth")
    exported = torch.export.export(model, (x,))
    for name, partitioners in (("xnnpack", [XnnpackPartitioner()]), ("portable", [])):
        program = to_edge_transform_and_lower(exported, partitioner=partitioners).to_executorch()
        (folder / f"{name}.pte").write_bytes(program.buffer)


if __name__ == "__main__":
    main()
