//! A receiver of webhooks on this machine: it answers as it is told, and keeps what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Requests that nobody has looked at.
const HELD: usize = 64;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Method, path and version.
    pub line: String,
    /// In lower case.
    pub headers: Vec<String>,
    pub body: String,
}

/// One that listens until it is dropped.
#[derive(Debug)]
pub struct Hook {
    pub port: u16,
    heard: Receiver<Heard>,
}

impl Hook {
    /// Answers with these codes in turn, then with the last one.
    #[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
    pub fn start(codes: &'static [u16]) -> Hook {
        let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = server.local_addr().expect("an address").port();
        let (sender, heard) = sync_channel(HELD);
        std::thread::spawn(move || {
            let turns = codes.iter().chain(std::iter::repeat(codes.last().expect("a code")));
            for (stream, code) in server.incoming().flatten().zip(turns) {
                let mut reader = BufReader::new(stream);
                let Some(heard) = read(&mut reader) else { continue };
                let _ = write!(
                    reader.get_mut(),
                    "HTTP/1.1 {code} x\r\nlocation: /heard\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                if sender.send(heard).is_err() {
                    return;
                }
            }
        });
        Hook { port, heard }
    }

    /// What comes next, if it comes soon.
    pub fn next(&self) -> Option<Heard> {
        self.heard.recv_timeout(Duration::from_secs(20)).ok()
    }

    /// What has come besides.
    pub fn rest(&self) -> usize {
        self.heard.try_iter().count()
    }
}

fn read(reader: &mut impl BufRead) -> Option<Heard> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            text => head.push(text.to_owned()),
        }
    }
    let headers: Vec<String> = head.iter().skip(1).map(|line| line.to_lowercase()).collect();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body).ok()?;
    Some(Heard {
        line: head.first()?.clone(),
        headers,
        body,
    })
}
