//! Surroundings of a process that a test can spoil: a network with one cable, a small disk. Both need rights that not every machine gives.

use std::path::Path;
use std::process::{Command, Stdio};

/// A network of its own, joined to this machine's by one cable that can be pulled.
#[derive(Debug)]
pub struct Network {
    name: String,
    /// How processes inside reach this machine.
    pub host: String,
}

impl Network {
    /// `None` where this user may not make one.
    pub fn new() -> Option<Network> {
        let number = std::process::id();
        let (high, low) = (number / 64 % 256, number % 64 * 4);
        let network = Network {
            name: format!("shadowdiff-{number}"),
            host: format!("10.199.{high}.{}", low + 1),
        };
        let inside = format!("10.199.{high}.{}/30", low + 2);
        if !ip(&["netns", "add", &network.name]) {
            return None;
        }
        let (name, near, far) = (&network.name, &cable(number), "eth0");
        let made = ip(&["link", "add", near, "type", "veth", "peer", "name", far, "netns", name])
            && ip(&["addr", "add", &format!("{}/30", network.host), "dev", near])
            && ip(&["link", "set", near, "up"])
            && ip(&["-n", name, "addr", "add", &inside, "dev", far])
            && ip(&["-n", name, "link", "set", far, "up"])
            && ip(&["-n", name, "link", "set", "lo", "up"]);
        made.then_some(network)
    }

    /// What goes before a command that is to run inside.
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// Nothing gets through, and nobody is told.
    pub fn pull(&self) {
        assert!(ip(&["-n", &self.name, "link", "set", "eth0", "down"]), "the cable is stuck");
    }

    pub fn plug(&self) {
        assert!(ip(&["-n", &self.name, "link", "set", "eth0", "up"]), "the cable does not fit");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}

fn cable(number: u32) -> String {
    format!("sd{number}")
}

fn ip(arguments: &[&str]) -> bool {
    succeeds(Command::new("ip").args(arguments))
}

/// What goes before a command that is to see a disk of `bytes` at `folder`; `None` where this user may not mount one.
pub fn small_disk(folder: &Path, bytes: u32) -> Option<Vec<String>> {
    std::fs::create_dir_all(folder).expect("a folder");
    let mount = format!("mount -t tmpfs -o size={bytes} none '{}'", folder.display());
    let prefix = |script: String| ["unshare", "-m", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    let tried = prefix(mount.clone());
    let works = succeeds(Command::new(&tried[0]).args(&tried[1..]));
    works.then(|| prefix(format!("{mount} && exec \"$@\"")))
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
