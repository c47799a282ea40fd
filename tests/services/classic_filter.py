"""Runs a filter of classic BPF as the kernel does (Linux, Documentation/networking/filter.rst)."""

from __future__ import annotations

from sipengine.steering import Instruction

WORD = 0xFFFFFFFF


def run(program: list[Instruction], packet: bytes) -> int:
    """What the filter returns for a packet; 0 if it loads what is not there."""
    a = x = at = 0
    memory = [0] * 16
    while True:
        code, jt, jf, k = program[at].code, program[at].jt, program[at].jf, program[at].k
        at += 1
        match code:
            case 0x20 | 0x40 | 0x50:
                start = k + (x if code != 0x20 else 0)
                size = 1 if code == 0x50 else 4
                if start + size > len(packet):
                    return 0
                a = int.from_bytes(packet[start : start + size], "big")
            case 0x00:
                a = k
            case 0x01:
                x = k
            case 0x60:
                a = memory[k]
            case 0x61:
                x = memory[k]
            case 0x02:
                memory[k] = a
            case 0x04:
                a = a + k & WORD
            case 0x0C:
                a = a + x & WORD
            case 0x14:
                a = a - k & WORD
            case 0x24:
                a = a * k & WORD
            case 0x44:
                a |= k
            case 0x54:
                a &= k
            case 0x74:
                a >>= k
            case 0x94:
                a %= k
            case 0xAC:
                a ^= x
            case 0x05:
                at += k
            case 0x15:
                at += jt if a == k else jf
            case 0x25:
                at += jt if a > k else jf
            case 0x35:
                at += jt if a >= k else jf
            case 0x07:
                x = a
            case 0x87:
                a = x
            case 0x06:
                return k
            case 0x16:
                return a
            case _:
                raise ValueError(f"no such instruction: {code:#x}")
