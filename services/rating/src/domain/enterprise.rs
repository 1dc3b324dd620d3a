//! Enterprises and their sites.

use greenstar_kernel::{LocalizedText, Uscc};
use serde::{Deserialize, Serialize};

use super::error::Refusal;

/// A legal unit. What it does happens at its sites; the star is the unit's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enterprise {
    /// Its code.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// Everything that may change.
    pub profile: Profile,
    /// Counts up with every change of the profile.
    pub etag: u32,
}

/// What the register says of an enterprise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Registered name.
    pub name: LocalizedText,
    /// GB/T 2260.
    pub district: District,
    /// GB/T 4754.
    pub sector: Sector,
    /// How the authorities list it for its pollution.
    pub polluter_class: PolluterClass,
    /// Its sites, by code.
    pub sites: Vec<Site>,
}

/// A new value for one field of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Registered name.
    Name(LocalizedText),
    /// GB/T 2260.
    District(District),
    /// GB/T 4754.
    Sector(Sector),
    /// How the authorities list it for its pollution.
    PolluterClass(PolluterClass),
    /// All its sites.
    Sites(Vec<Site>),
}

impl Profile {
    /// Takes a new value.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Name(name) => self.name = name,
            Change::District(district) => self.district = district,
            Change::Sector(sector) => self.sector = sector,
            Change::PolluterClass(class) => self.polluter_class = class,
            Change::Sites(sites) => self.sites = sites,
        }
    }
}

/// A district's code, GB/T 2260: six digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct District(String);

impl District {
    /// # Errors
    /// [`Refusal::Field`] if it is not six digits.
    pub fn parse(raw: &str) -> Result<District, Refusal> {
        let fits = raw.len() == 6 && raw.bytes().all(|byte| byte.is_ascii_digit());
        let said = ("六位行政区划代码（GB/T 2260）", "six digits of GB/T 2260");
        if fits {
            Ok(District(raw.to_owned()))
        } else {
            Err(Refusal::field("district", said))
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An industry, GB/T 4754: a letter and 2 to 4 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sector(String);

impl Sector {
    /// # Errors
    /// [`Refusal::Field`] if it has another shape.
    pub fn parse(raw: &str) -> Result<Sector, Refusal> {
        let mut bytes = raw.bytes();
        let letter = bytes.next().is_some_and(|byte| (b'A'..=b'T').contains(&byte));
        let fits = letter && (2..=4).contains(&bytes.len()) && bytes.all(|byte| byte.is_ascii_digit());
        let said = (
            "一位字母加二至四位数字（GB/T 4754），如 C2710",
            "a letter and 2 to 4 digits of GB/T 4754, e.g. C2710",
        );
        if fits {
            Ok(Sector(raw.to_owned()))
        } else {
            Err(Refusal::field("sector", said))
        }
    }

    /// Letter and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the authorities list an enterprise for its pollution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolluterClass {
    /// 一般单位
    General,
    /// 重点排污单位
    Key,
    /// 危险废物经营单位
    HazardousWasteOperator,
}

impl PolluterClass {
    /// All of them.
    pub const ALL: [PolluterClass; 3] = [
        PolluterClass::General,
        PolluterClass::Key,
        PolluterClass::HazardousWasteOperator,
    ];

    /// As stored and as filters name it.
    pub fn as_str(self) -> &'static str {
        match self {
            PolluterClass::General => "GENERAL",
            PolluterClass::Key => "KEY",
            PolluterClass::HazardousWasteOperator => "HAZARDOUS_WASTE_OPERATOR",
        }
    }

    /// The reverse of [`PolluterClass::as_str`].
    pub fn parse(raw: &str) -> Option<PolluterClass> {
        PolluterClass::ALL.into_iter().find(|class| class.as_str() == raw)
    }
}

/// A place where an enterprise works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Three digits (HJ 608-2017, positions 19 to 21).
    pub code: String,
    /// What people call it.
    pub name: LocalizedText,
    /// Pollutant permit, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
    /// Street address.
    #[serde(default)]
    pub address: String,
}

impl Site {
    /// Checks a site against its enterprise. A permit's code is the enterprise's code, the site's and `P`
    /// (HJ 608-2017).
    ///
    /// # Errors
    /// [`Refusal::Field`] names what has another form.
    pub fn new(
        uscc: &Uscc,
        code: &str,
        name: LocalizedText,
        permit: &str,
        address: &str,
    ) -> Result<Site, Refusal> {
        if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::field("sites.code", ("三位数字", "three digits")));
        }
        if address.chars().count() > 300 {
            return Err(Refusal::field(
                "sites.address",
                ("至多 300 字", "at most 300 characters"),
            ));
        }
        let permit = match permit {
            "" => None,
            permit if permit == format!("{uscc}{code}P") => Some(permit.to_owned()),
            _ => {
                let said = (
                    "企业代码、三位场所编号和 P，共 22 位（HJ 608-2017）",
                    "the enterprise's code, the site's three digits and P (HJ 608-2017)",
                );
                return Err(Refusal::field("sites.permit", said));
            }
        };
        Ok(Site {
            code: code.to_owned(),
            name,
            permit,
            address: address.to_owned(),
        })
    }
}

/// Sites of one enterprise: each code once, in order of their codes.
///
/// # Errors
/// [`Refusal::Field`] if a code stands twice, or if there are more than 200.
pub fn sites(mut sites: Vec<Site>) -> Result<Vec<Site>, Refusal> {
    if sites.len() > 200 {
        return Err(Refusal::field("sites", ("至多 200 个", "at most 200")));
    }
    sites.sort_by(|a, b| a.code.cmp(&b.code));
    let twice = sites
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a.code == b.code));
    if twice {
        Err(Refusal::field(
            "sites.code",
            ("互不相同", "different for each site"),
        ))
    } else {
        Ok(sites)
    }
}

/// A code in JSON is its text.
pub mod uscc_text {
    use greenstar_kernel::Uscc;
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes the 18 characters.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(uscc: &Uscc, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(uscc.as_str())
    }

    /// Reads and checks them.
    ///
    /// # Errors
    /// A text that is no code.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uscc, D::Error> {
        let raw = String::deserialize(deserializer)?;
        raw.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_belongs_to_its_enterprise_and_site() {
        let uscc: Uscc = "91110115MAX000015J".parse().unwrap();
        let name = || LocalizedText::new("一厂", "Plant 1");
        assert!(Site::new(&uscc, "001", name(), "91110115MAX000015J001P", "").is_ok());
        assert!(Site::new(&uscc, "001", name(), "", "").is_ok());
        for permit in [
            "91110115MAX000015J002P",
            "91110115MAX000015J001Q",
            "91110115MAX000023D001P",
            "P",
        ] {
            assert!(Site::new(&uscc, "001", name(), permit, "").is_err(), "{permit}");
        }
        assert!(Site::new(&uscc, "0a1", name(), "", "").is_err());
    }

    #[test]
    fn districts_and_sectors_have_their_shape() {
        assert!(District::parse("110115").is_ok());
        assert!(Sector::parse("C2710").is_ok() && Sector::parse("C27").is_ok());
        for raw in ["", "11011", "1101150", "11011x"] {
            assert!(District::parse(raw).is_err(), "{raw}");
        }
        for raw in ["", "C", "C2", "2710", "C27100", "Z2710", "c2710"] {
            assert!(Sector::parse(raw).is_err(), "{raw}");
        }
    }
}
