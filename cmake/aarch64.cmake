# SPDX-License-Identifier: Apache-2.0
# Cross-compiling for 64-bit Arm: Debian's cross compiler, with the target's libraries in OREE_SYSROOT.
# tools/cross_aarch64.py makes that folder. It is no --sysroot of the compiler's: libc and libstdc++ come with the compiler,
# everything else from there.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(OREE_SYSROOT "" CACHE PATH "The target's libraries and headers")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES OREE_SYSROOT)
set(CMAKE_FIND_ROOT_PATH ${OREE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${OREE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${OREE_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${OREE_SYSROOT})

set(headers "-isystem ${OREE_SYSROOT}/usr/include -isystem ${OREE_SYSROOT}/usr/include/aarch64-linux-gnu")
set(CMAKE_CXX_FLAGS_INIT "${headers}")
set(CMAKE_C_FLAGS_INIT "${headers}")
# Libraries of libraries are looked for here, too.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${OREE_SYSROOT}/usr/lib/aarch64-linux-gnu:${OREE_SYSROOT}/usr/lib")

# Tests and tools run here under emulation. An emulated Cortex-A72, as the Raspberry Pi 4 has.
find_program(OREE_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(OREE_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${OREE_QEMU} -cpu cortex-a72 -L ${OREE_SYSROOT})
endif()
