# The little of an operating system that a static Linux program needs: 64-bit mode with the vector and tile
# registers enabled, and the system calls that a Rust program makes on its way from standard input to standard
# output. An exception has no handler and ends the emulator.
#
# emulator.py puts this, page tables, parameters and program where they belong. What the program writes leaves
# through port 0xe9, which the emulator prints: after a greeting, frames of descriptor (u8), length (u32) and
# bytes. Descriptor 255 is the exit code, 254 if tiles are still configured.

        .intel_syntax noprefix
        .set parameters, 0x7000
        .set entry, parameters
        .set stack, parameters + 8
        .set input, parameters + 16
        .set input_end, parameters + 24
        .set heap, parameters + 32
        .set heap_end, parameters + 40
        .set mappings, parameters + 48
        .set mappings_end, parameters + 56
        .set state_components, parameters + 64
        .set tiles_permitted, parameters + 72
        .set page_tables, 0x1000
        .set own_stack, 0x7000

        .globl _start
        .code16
_start: cli
        xor     ax, ax
        mov     ds, ax
        lgdt    [descriptor_table]
        mov     eax, 1 << 5 | 1 << 9 | 1 << 10 | 1 << 18        # PAE, OSFXSR, OSXMMEXCPT, OSXSAVE
        mov     cr4, eax
        mov     eax, page_tables
        mov     cr3, eax
        mov     ecx, 0xc0000080                                 # EFER: LME, SCE
        mov     eax, 1 << 8 | 1
        xor     edx, edx
        wrmsr
        mov     eax, 1 << 31 | 1 << 5 | 1 << 4 | 1 << 1 | 1     # PG, NE, ET, MP, PE
        mov     cr0, eax
        .att_syntax
        ljmp    $0x08, $long
        .intel_syntax noprefix

        .code64
long:   xor     ecx, ecx                                        # XCR0
        mov     eax, [state_components]
        xor     edx, edx
        xsetbv
        mov     ecx, 0xc0000081                                 # STAR: selectors of kernel and user
        xor     eax, eax
        mov     edx, 0x001b0008
        wrmsr
        mov     ecx, 0xc0000082                                 # LSTAR: entry of system calls
        mov     eax, offset system_call
        xor     edx, edx
        wrmsr
        mov     edx, 0xe9
        mov     esi, offset greeting
        mov     ecx, greeting_end - greeting
        rep     outsb
        mov     rcx, [entry]
        mov     rsp, [stack]
        mov     r11d, 2
        xor     edx, edx
        sysretq

system_call:
        mov     [user_stack], rsp
        mov     esp, own_stack
        push    rcx
        push    r11
        push    rdx
        push    rsi
        push    rdi
        push    rbx
        cmp     eax, 0
        je      read
        cmp     eax, 1
        je      write
        cmp     eax, 9
        je      mmap
        cmp     eax, 12
        je      brk
        cmp     eax, 158
        je      arch_prctl
        cmp     eax, 231
        je      exit_group
        cmp     eax, 318
        je      getrandom
        mov     edi, offset without_effect
        mov     ecx, (without_effect_end - without_effect) / 4
        repne   scasd
        mov     eax, 0
        je      return
        mov     rax, -38                                        # ENOSYS
return: pop     rbx
        pop     rdi
        pop     rsi
        pop     rdx
        pop     r11
        pop     rcx
        mov     rsp, [user_stack]
        sysretq

read:   mov     rcx, [input_end]
        sub     rcx, [input]
        cmp     rcx, rdx
        cmova   rcx, rdx
        mov     rax, rcx
        mov     rdi, rsi
        mov     rsi, [input]
        rep     movsb
        mov     [input], rsi
        jmp     return

write:  mov     ebx, edx
        call    frame
        mov     eax, ebx
        jmp     return

# A frame of ebx bytes at rsi for descriptor edi.
frame:  mov     eax, edi
        mov     edx, 0xe9
        out     dx, al
        push    rsi
        mov     [length], ebx
        mov     esi, offset length
        mov     ecx, 4
        rep     outsb
        pop     rsi
        mov     ecx, ebx
        rep     outsb
        ret

mmap:   mov     rax, [mappings]
        add     rsi, 0xfff
        and     rsi, ~0xfff
        add     rsi, rax
        cmp     rsi, [mappings_end]
        ja      out_of_memory
        mov     [mappings], rsi
        jmp     return
out_of_memory:
        mov     rax, -12                                        # ENOMEM
        jmp     return

brk:    mov     rax, [heap]
        cmp     rdi, rax
        jb      return
        cmp     rdi, [heap_end]
        ja      return
        mov     [heap], rdi
        mov     rax, rdi
        jmp     return

arch_prctl:
        cmp     edi, 0x1002                                     # ARCH_SET_FS
        je      set_fs
        cmp     edi, 0x1023                                     # ARCH_REQ_XCOMP_PERM
        jne     refuse
        cmp     esi, 18                                         # XFEATURE_XTILEDATA
        jne     refuse
        xor     eax, eax
        cmp     qword ptr [tiles_permitted], 0
        jne     return
refuse: mov     rax, -22                                        # EINVAL
        jmp     return
set_fs: mov     ecx, 0xc0000100                                 # FS.base
        mov     eax, esi
        mov     rdx, rsi
        shr     rdx, 32
        wrmsr
        xor     eax, eax
        jmp     return

getrandom:
        mov     rax, rsi
        jmp     return

exit_group:
        mov     ecx, 1                                          # XINUSE: tiles must not be configured
        xgetbv
        test    eax, 1 << 17
        mov     eax, 254
        cmovnz  edi, eax
        mov     [exit_code], edi
        mov     esi, offset exit_code
        mov     edi, 255
        mov     ebx, 4
        call    frame
        mov     edx, 0x8900                                     # the emulator's switch
        mov     esi, offset shutdown
        mov     ecx, 8
        rep     outsb
        hlt

        .balign 8
descriptors:
        .quad   0
        .quad   0x00209b0000000000                              # 0x08: kernel's code
        .quad   0x0000930000000000                              # 0x10: kernel's data
        .quad   0                                               # 0x18: 32-bit code, not used
        .quad   0x0000f30000000000                              # 0x20: user's data
        .quad   0x0020fb0000000000                              # 0x28: user's code
descriptor_table:
        .word   descriptor_table - descriptors - 1
        .long   descriptors
        .balign 8
user_stack:
        .quad   0
length: .long   0
exit_code:
        .long   0
# poll, mprotect, munmap, rt_sigaction, sigaltstack, set_tid_address, set_robust_list
without_effect:
        .long   7, 10, 11, 13, 131, 218, 273
without_effect_end:
greeting:
        .ascii  "EDGE-MOE"
greeting_end:
shutdown:
        .ascii  "Shutdown"
