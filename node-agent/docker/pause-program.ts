export type MachineArchitecture = "amd64" | "arm64";

/**
 * A complete static ELF executable for Linux that does nothing but wait, as process 1 of a Pod's sandbox:
 *
 *     rt_sigaction(SIGCHLD, {SIG_IGN})
 *     rt_sigprocmask(SIG_BLOCK, {SIGINT, SIGTERM})
 *     do signal = rt_sigtimedwait({SIGINT, SIGTERM}) while (signal <= 0)
 *     exit(0)
 *
 * The kernel drops signals without a handler for process 1, but never blocked ones, so waiting for blocked signals needs no handler
 * and no stack. Of a Pod that shares its process namespace it is also the parent of orphans; the kernel itself reaps the children of a process that
 * ignores SIGCHLD.
 * Formats: System V gABI chapter 4 and 5 (ELF-64), Intel SDM volume 2, Arm ARM C6; call numbers: Linux include/uapi/asm-generic/unistd.h
 * and arch/x86/entry/syscalls/syscall_64.tbl.
 */
export function pauseProgram(architecture: MachineArchitecture): Uint8Array {
  const code = architecture === "amd64" ? amd64Code() : arm64Code();
  const entry = loadAddress + headerBytes;
  const size = headerBytes + code.length;
  const file = Buffer.alloc(size);
  // ELF header: 64 bit, little endian, version 1, System V.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  file.writeUInt16LE(2, 16); // e_type: ET_EXEC
  file.writeUInt16LE(architecture === "amd64" ? 62 : 183, 18); // e_machine: EM_X86_64, EM_AARCH64
  file.writeUInt32LE(1, 20); // e_version
  file.writeBigUInt64LE(BigInt(entry), 24); // e_entry
  file.writeBigUInt64LE(BigInt(elfHeaderBytes), 32); // e_phoff
  file.writeUInt16LE(elfHeaderBytes, 52); // e_ehsize
  file.writeUInt16LE(programHeaderBytes, 54); // e_phentsize
  file.writeUInt16LE(1, 56); // e_phnum
  // One segment: the whole file, readable and executable.
  file.writeUInt32LE(1, elfHeaderBytes); // p_type: PT_LOAD
  file.writeUInt32LE(5, elfHeaderBytes + 4); // p_flags: PF_R | PF_X
  file.writeBigUInt64LE(BigInt(loadAddress), elfHeaderBytes + 16); // p_vaddr
  file.writeBigUInt64LE(BigInt(loadAddress), elfHeaderBytes + 24); // p_paddr
  file.writeBigUInt64LE(BigInt(size), elfHeaderBytes + 32); // p_filesz
  file.writeBigUInt64LE(BigInt(size), elfHeaderBytes + 40); // p_memsz
  file.writeBigUInt64LE(0x10000n, elfHeaderBytes + 48); // p_align: largest page size of either machine
  file.set(code, headerBytes);
  return new Uint8Array(file);
}

const elfHeaderBytes = 64;
const programHeaderBytes = 56;
const headerBytes = elfHeaderBytes + programHeaderBytes;
const loadAddress = 0x400000;

/** Bit n - 1 stands for signal n: SIGINT is 2, SIGTERM is 15. */
const signalSet = [0x02, 0x40, 0, 0, 0, 0, 0, 0];

/** Linux' sigaction: handler (1 is SIG_IGN), flags, restorer, mask, of 64 bits each. */
const ignoring = [1, ...Array.from({ length: 31 }, () => 0)];

function amd64Code(): number[] {
  const ignoreBytes = 21;
  const actionOffset = ignoreBytes + 53;
  // From here on counted from the second call.
  const setOffset = 53 + ignoring.length;
  const instructions: readonly (readonly number[])[] = [
    // rt_sigaction(17, &action, 0, 8)
    [0x31, 0xd2], //                                    0 xor edx, edx
    [0x6a, 0x08, 0x41, 0x5a], //                        2 push 8; pop r10
    [0x6a, 0x11, 0x5f], //                              6 push 17; pop rdi
    [0x48, 0x8d, 0x35, actionOffset - 16, 0, 0, 0], //  9 lea rsi, [rip + action]
    [0x6a, 0x0d, 0x58], //                             16 push 13; pop rax
    [0x0f, 0x05], //                                   19 syscall
    // rt_sigprocmask(0, &set, 0, 8)
    [0x31, 0xff], //                                    0 xor edi, edi
    [0x48, 0x8d, 0x35, setOffset - 9, 0, 0, 0], //      2 lea rsi, [rip + set]
    [0x31, 0xd2], //                                    9 xor edx, edx
    [0x6a, 0x08, 0x41, 0x5a], //                       11 push 8; pop r10
    [0x6a, 0x0e, 0x58], //                             15 push 14; pop rax
    [0x0f, 0x05], //                                   18 syscall
    // rt_sigtimedwait(&set, 0, 0, 8)
    [0x48, 0x8d, 0x3d, setOffset - 27, 0, 0, 0], //    20 lea rdi, [rip + set]
    [0x31, 0xf6], //                                   27 xor esi, esi
    [0x31, 0xd2], //                                   29 xor edx, edx
    [0x6a, 0x08, 0x41, 0x5a], //                       31 push 8; pop r10
    [0xb8, 0x80, 0, 0, 0], //                          35 mov eax, 128
    [0x0f, 0x05], //                                   40 syscall
    [0x85, 0xc0], //                                   42 test eax, eax
    [0x7e, 0x100 - (46 - 20)], //                      44 jle 20
    // exit(0)
    [0x31, 0xff], //                                   46 xor edi, edi
    [0x6a, 0x3c, 0x58], //                             48 push 60; pop rax
    [0x0f, 0x05], //                                   51 syscall
    ignoring, //                                       53
    signalSet,
  ];
  return instructions.flat();
}

function arm64Code(): number[] {
  const actionWord = 23;
  const setWord = actionWord + ignoring.length / 4;
  const movz = (register: number, value: number): number => 0xd2800000 + (value << 5) + register;
  // Distances in words; ADR counts in bytes with its two low bits (always 0 here) elsewhere.
  const adr = (register: number, words: number): number => 0x10000000 + (words << 5) + register;
  const branchIfLessOrEqual = (words: number): number => 0x5400000d + ((words & 0x7ffff) << 5);
  const systemCall = 0xd4000001;
  const compareW0WithZero = 0x7100001f;
  const words = [
    // rt_sigaction(17, &action, 0, 8)
    movz(0, 17), //                     0
    adr(1, actionWord - 1), //          1
    movz(2, 0), //                      2
    movz(3, 8), //                      3
    movz(8, 134), //                    4
    systemCall, //                      5
    // rt_sigprocmask(0, &set, 0, 8)
    movz(0, 0), //                      6
    adr(1, setWord - 7), //             7
    movz(2, 0), //                      8
    movz(3, 8), //                      9
    movz(8, 135), //                   10
    systemCall, //                     11
    // rt_sigtimedwait(&set, 0, 0, 8)
    adr(0, setWord - 12), //           12
    movz(1, 0), //                     13
    movz(2, 0), //                     14
    movz(3, 8), //                     15
    movz(8, 137), //                   16
    systemCall, //                     17
    compareW0WithZero, //              18
    branchIfLessOrEqual(12 - 19), //   19
    // exit(0)
    movz(0, 0), //                     20
    movz(8, 93), //                    21
    systemCall, //                     22
  ];
  const bytes = words.flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, (word >>> 24) & 0xff]);
  return [...bytes, ...ignoring, ...signalSet];
}
