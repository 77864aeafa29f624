//! argv as people type it → argv as argh reads it.

/// Splits `--key=value` into two arguments and turns `-h` into `--help`. Everything after a bare
/// `--` is left as it is, and so is an argument that only begins with one dash.
pub fn prepare(args: &[String]) -> Vec<String> {
    let mut prepared = Vec::with_capacity(args.len());
    let mut rest = args.iter();
    for arg in rest.by_ref() {
        if arg == "--" {
            prepared.push(arg.clone());
            break;
        }
        if arg == "-h" {
            prepared.push("--help".to_owned());
            continue;
        }
        match arg.split_once('=') {
            Some((key, value)) if is_long_option(key) => {
                prepared.push(key.to_owned());
                prepared.push(value.to_owned());
            }
            _ => prepared.push(arg.clone()),
        }
    }
    prepared.extend(rest.cloned());
    prepared
}

fn is_long_option(key: &str) -> bool {
    key.strip_prefix("--").is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

#[cfg(test)]
mod tests;
