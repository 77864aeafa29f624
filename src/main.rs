fn main() {
    tyr::kernel::names::settle_sources();
    let process = tyr::process::Process::of_this_process();
    std::process::exit(tyr::applet::run(process).code());
}
