/// It gives back what a load took; glibc's keeps that in pieces.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a load took is given back within a second. Every thread ages the one arena: most of them sleep after a load.
#[cfg(feature = "jemalloc")]
#[expect(unsafe_code, reason = "the allocator reads its settings from the symbol of this name")]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 47] = b"narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

fn main() -> std::process::ExitCode {
    keywitness::cli::main()
}
