//! A look inside an archive before anything of it is read as a workbook.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::fault::{Fault, Trouble};
use crate::limits::{MAX_BYTES, MAX_PART, MAX_PARTS, MAX_RATIO, MAX_STRINGS, MAX_UNPACKED, SUSPICIOUS};

/// Compound files: .xls, and .xlsx with a password.
const COMPOUND: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Refuses what is no .xlsx, what is never read, and what is too large, whatever it claims to be.
pub(crate) fn inspect(bytes: &[u8]) -> Result<(), Fault> {
    look(bytes).map_err(Fault::book)
}

fn look(bytes: &[u8]) -> Result<(), Trouble> {
    if bytes.len() > MAX_BYTES {
        return Err(Trouble::TooLarge);
    }
    if bytes.starts_with(&COMPOUND) {
        return Err(compound(bytes));
    }
    if !bytes.starts_with(b"PK") {
        return Err(Trouble::NotAnArchive);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    if archive.len() > MAX_PARTS {
        return Err(Trouble::TooManyParts);
    }
    let mut parts = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(|error| damaged(&error))?;
        if file.encrypted() {
            return Err(Trouble::Encrypted);
        }
        let name = file.name().map_err(|error| damaged(&error))?;
        parts.push((
            name.replace('\\', "/").to_ascii_lowercase(),
            file.compressed_size(),
        ));
    }
    // Names first: they cost nothing.
    if let Some(trouble) = parts.iter().find_map(|(name, _)| forbidden(name)) {
        return Err(trouble);
    }
    let has = |wanted: &str| parts.iter().any(|(name, _)| name == wanted);
    if !has("[content_types].xml") || !has("xl/workbook.xml") {
        return Err(Trouble::OtherFormat);
    }
    let mut unpacked = 0;
    for (index, (name, packed)) in parts.iter().enumerate() {
        let file = archive.by_index(index).map_err(|error| damaged(&error))?;
        let text = unpack(file, name, *packed, &mut unpacked)?;
        if name == "[content_types].xml" {
            content_types(&text)?;
        }
        if name.ends_with(".rels") && leaves(&text) {
            return Err(Trouble::Links);
        }
    }
    Ok(())
}

fn damaged(error: &ZipError) -> Trouble {
    Trouble::Damaged(error.to_string().chars().take(120).collect())
}

/// With a password the workbook itself is a stream of this name, in UTF-16.
fn compound(bytes: &[u8]) -> Trouble {
    let name: Vec<u8> = "EncryptedPackage".bytes().flat_map(|byte| [byte, 0]).collect();
    if bytes.windows(name.len()).any(|window| window == name) {
        Trouble::Encrypted
    } else {
        Trouble::OldFormat
    }
}

/// Parts that only what is never read has.
fn forbidden(name: &str) -> Option<Trouble> {
    const MACROS: [&str; 5] = [
        "vbaproject",
        "vbadata",
        "xl/macrosheets/",
        "xl/dialogsheets/",
        "customui/",
    ];
    const LINKS: [&str; 3] = ["xl/externallinks/", "xl/connections.xml", "xl/querytables/"];
    const EMBEDDED: [&str; 4] = ["/embeddings/", "/activex/", "/ctrlprops/", "oleobject"];
    let one_of = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if name == "mimetype" || name == "xl/workbook.bin" {
        Some(Trouble::OtherFormat)
    } else if one_of(&MACROS) {
        Some(Trouble::Macros)
    } else if one_of(&LINKS) {
        Some(Trouble::Links)
    } else if one_of(&EMBEDDED) {
        Some(Trouble::Embedded)
    } else {
        None
    }
}

fn content_types(text: &str) -> Result<(), Trouble> {
    let text = text.to_ascii_lowercase();
    if text.contains("ms-excel.sheet.binary") {
        return Err(Trouble::OtherFormat);
    }
    if text.contains("macroenabled") || text.contains("vbaproject") {
        return Err(Trouble::Macros);
    }
    Ok(())
}

/// Whether a part refers to something outside the file, other than by a hyperlink that a person may click.
fn leaves(relationships: &str) -> bool {
    let text = relationships.to_ascii_lowercase();
    text.split('<').any(|tag| {
        tag.trim_start().starts_with("relationship ")
            && tag.contains("targetmode")
            && tag.contains("external")
            && !tag.contains("/hyperlink")
    })
}

/// Unpacks a part once, counting, so that no claim of the archive has to be believed. Gives the text of small parts.
fn unpack(file: impl Read, name: &str, packed: u64, unpacked: &mut u64) -> Result<String, Trouble> {
    let sheet = name.starts_with("xl/worksheets/") && name.ends_with(".xml");
    let xml = name.ends_with(".xml") || name.ends_with(".rels") || name.ends_with(".vml");
    let limit = match name {
        "xl/sharedstrings.xml" => MAX_STRINGS,
        // Pictures and settings of printers are only counted.
        _ if sheet || !xml => MAX_UNPACKED,
        _ => MAX_PART,
    };
    let keeps = name == "[content_types].xml" || name.ends_with(".rels");
    let mut kept = Vec::new();
    let mut size = 0u64;
    let mut chunk = vec![0; 32 * 1024];
    let mut scan = Scan::default();
    let mut file = file;
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Err(Trouble::Damaged(error.to_string().chars().take(120).collect())),
        };
        let piece = chunk.get(..read).unwrap_or_default();
        size += piece.len() as u64;
        *unpacked += piece.len() as u64;
        let bomb = size > SUSPICIOUS && size / packed.max(1) > MAX_RATIO;
        if size > limit || *unpacked > MAX_UNPACKED || bomb {
            return Err(Trouble::Inflated(name.chars().take(60).collect()));
        }
        if xml {
            scan.read(piece)?;
        }
        if keeps {
            kept.extend_from_slice(piece);
        }
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// What no spreadsheet writes into its XML, wherever a chunk ends.
#[derive(Debug, Default)]
struct Scan {
    last: [u8; 2],
}

impl Scan {
    fn read(&mut self, piece: &[u8]) -> Result<(), Trouble> {
        for &byte in piece {
            // Also UTF-16, in which the next line would see nothing.
            if byte == 0 {
                return Err(Trouble::Damaged("XML with zero bytes".to_owned()));
            }
            // `<!DOCTYPE`, `<!ENTITY`, `<![CDATA[`; a comment does no harm.
            if self.last == *b"<!" && byte != b'-' {
                return Err(Trouble::Declaration);
            }
            self.last = [self.last[1], byte];
        }
        Ok(())
    }
}
