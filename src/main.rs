//! The program: everything is in the library.

use std::process::ExitCode;

/// A mail is some hundred small allocations on one thread, freed on another; glibc's allocator takes a tenth of the whole for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stammgast::cli::main()
}
