fn main() -> std::process::ExitCode {
    keywitness::cli::main()
}
