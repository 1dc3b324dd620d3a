//! Names of sheets and columns, what people are told of them, and how wide they are.

pub(super) const POLICY: &str = "policy";
pub(super) const MATTERS: &str = "matters";
pub(super) const OUTCOMES: &str = "outcomes";
pub(super) const ARGUMENTS: &str = "arguments";
pub(super) const TABLE: &str = "table";
pub(super) const TRIGGERS: &str = "triggers";
pub(super) const TREES: &str = "trees";
pub(super) const UNFAIR: &str = "unfair";
pub(super) const CASES: &str = "cases";
pub(super) const HELP: &str = "help";

/// Sheets that may stand in a workbook.
pub(super) const SHEETS: [&str; 9] = [
    POLICY, MATTERS, OUTCOMES, ARGUMENTS, TABLE, TRIGGERS, TREES, UNFAIR, CASES,
];
/// Sheets that are not read.
pub(super) const UNREAD: [&str; 3] = [HELP, "lists", "notes"];

pub(super) const FIELD: &str = "field";
pub(super) const VALUE: &str = "value";
pub(super) const MEANING: &str = "meaning";
pub(super) const CODE: &str = "code";
pub(super) const TITLE_ZH: &str = "title_zh";
pub(super) const TITLE_EN: &str = "title_en";
pub(super) const LEVEL: &str = "level";
pub(super) const CARRIED_BY: &str = "carried_by";
pub(super) const FLOOR: &str = "floor";
pub(super) const NAME: &str = "name";
pub(super) const TYPE: &str = "type";
pub(super) const MIN: &str = "min";
pub(super) const MAX: &str = "max";
pub(super) const VALUES: &str = "values";
pub(super) const REQUIRED: &str = "required";
pub(super) const MASKED: &str = "masked";
pub(super) const ROW: &str = "row";
pub(super) const OUTCOME: &str = "outcome";
pub(super) const MEASURES: &str = "measures";
pub(super) const REASON_ZH: &str = "reason_zh";
pub(super) const REASON_EN: &str = "reason_en";
pub(super) const BASIS_ZH: &str = "basis_zh";
pub(super) const BASIS_EN: &str = "basis_en";
pub(super) const TREE: &str = "tree";
pub(super) const CHILD: &str = "child";
pub(super) const PARENT: &str = "parent";
pub(super) const ROWS: &str = "rows";
pub(super) const AT: &str = "at";
pub(super) const MATTER: &str = "matter";
pub(super) const EXPECT_OUTCOME: &str = "expect.outcome";
pub(super) const EXPECT_MEASURES: &str = "expect.measures";
pub(super) const EXPECT_ROWS: &str = "expect.rows";
pub(super) const FACTS: &str = "facts.";
pub(super) const OF_ARGUMENTS: &str = "arguments.";

/// Label of the row that holds where no other does.
pub(super) const DEFAULT: &str = "default";

/// Columns of a table that are no tests.
pub(super) const OUTPUTS: [&str; 6] = [OUTCOME, MEASURES, REASON_ZH, REASON_EN, BASIS_ZH, BASIS_EN];

/// Tests that a sheet offers even where nobody uses them yet.
pub(super) const COMMON: [&str; 6] = [
    "star",
    "state",
    "flags",
    "worst_severity",
    "polluter_class",
    "open_rectification",
];

/// A column as people see it: name, title, explanation in both languages, width in characters.
pub(super) type Told = (&'static str, &'static str, &'static str, &'static str, u16);

/// Fields of the sheet `policy`: name, explanation in both languages.
pub(super) const FIELDS: [(&str, &str, &str); 10] = [
    ("policy", "政策名称（代码）", "name of the policy, a code"),
    ("version", "版本号，每次发布加一", "version, counted up"),
    (
        "department",
        "所属部门代码；baseline 为本辖区基准政策",
        "department that owns it; baseline is the jurisdiction's floor",
    ),
    (
        "on_stale",
        "数据过旧时：refuse 拒答，manual_review 人工审查，allow_with_caveat 附注意事项放行",
        "when the data is too old: refuse, manual_review, allow_with_caveat",
    ),
    (
        "max_staleness_ms",
        "数据最长允许多旧（毫秒），不超过 5000",
        "how old the data may be, in milliseconds, at most 5000",
    ),
    (
        "record",
        "决定记录方式：durable 本机落盘，store 同时入库，sampled 抽样",
        "how decisions are recorded: durable, store (also in the database), sampled",
    ),
    (
        "retention_days",
        "记录全文保留天数；空为一直保留",
        "for how many days a record is kept in full; empty: for ever",
    ),
    (
        "advice_only",
        "true：只能激励和建议，不得给出数值",
        "true: it may only favour and advise, and gives no figures",
    ),
    (
        "table_hit",
        "table 的命中方式：first 首行，unique 唯一，strictest 最严，collect 汇总",
        "hit policy of the sheet table: first, unique, strictest, collect",
    ),
    (
        "triggers_hit",
        "triggers 的命中方式；没有该表时为空",
        "hit policy of the sheet triggers; empty without that sheet",
    ),
];

pub(super) const OF_POLICY: [Told; 3] = [
    (FIELD, "字段", "", "", 20),
    (VALUE, "值", "在此填写", "to be filled in", 28),
    (MEANING, "说明", "", "", 90),
];

pub(super) const OF_MATTERS: [Told; 3] = [
    (
        CODE,
        "代码",
        "事项代码；许可事项即许可种类",
        "code of the matter; of a permit the permit kind",
        26,
    ),
    (TITLE_ZH, "中文名称", "", "", 36),
    (TITLE_EN, "英文名称", "", "", 44),
];

pub(super) const OF_OUTCOMES: [Told; 6] = [
    (
        CODE,
        "代码",
        "处置结论代码，由轻到重逐行排列",
        "code of the outcome; list them mildest first",
        20,
    ),
    (
        LEVEL,
        "级别",
        "FAVOUR 激励、NEUTRAL 常态（恰有一个）、WATCH 关注、RESTRICT 限制、BAR 禁止",
        "FAVOUR, NEUTRAL (exactly one), WATCH, RESTRICT, BAR",
        14,
    ),
    (
        CARRIED_BY,
        "承载措施",
        "重于 NEUTRAL 时必填：目录中承载该结论的措施",
        "above NEUTRAL: the measure of the catalogue that carries it",
        26,
    ),
    (
        FLOOR,
        "最低措施",
        "该结论至少附带的措施，每行一项，如 on-site-cap=1",
        "measures that go with it at least, one in a line: on-site-cap=1",
        28,
    ),
    (TITLE_ZH, "中文名称", "", "", 30),
    (TITLE_EN, "英文名称", "", "", 34),
];

pub(super) const OF_ARGUMENTS_SHEET: [Told; 9] = [
    (
        NAME,
        "名称",
        "参数名，可作为 table 的列",
        "name of the argument, which is a column of the table too",
        20,
    ),
    (
        TYPE,
        "类型",
        "boolean 是否、integer 整数、points 分值、date 日期、choice 选项",
        "boolean, integer, points, date, choice",
        12,
    ),
    (
        MIN,
        "最小",
        "integer、points 和 date 必填",
        "of integer, points and date",
        10,
    ),
    (
        MAX,
        "最大",
        "integer、points 和 date 必填",
        "of integer, points and date",
        10,
    ),
    (
        VALUES,
        "选项",
        "choice 必填，每行一项",
        "of choice, one in a line",
        26,
    ),
    (REQUIRED, "必填", "true 或 false", "true or false", 10),
    (
        MASKED,
        "隐去",
        "true：记录中不留其值，且不得作为 table 的列",
        "true: its value is not kept in records, and it is no column of the table",
        10,
    ),
    (TITLE_ZH, "中文名称", "", "", 30),
    (TITLE_EN, "英文名称", "", "", 34),
];

pub(super) const OF_ROW: Told = (
    ROW,
    "行",
    "行号仅供查看；默认行填 default，在没有其他行成立时适用",
    "the number is for reading; the row that holds where no other does is called default",
    9,
);

pub(super) const OF_OUTPUTS: [Told; 6] = [
    (
        OUTCOME,
        "处置结论",
        "outcomes 表中的代码",
        "a code of the sheet outcomes",
        18,
    ),
    (
        MEASURES,
        "措施",
        "目录中的措施，每行一项；有参数的写 on-site-cap=1",
        "measures of the catalogue, one in a line; with its figure: on-site-cap=1",
        30,
    ),
    (
        REASON_ZH,
        "中文理由",
        "告知企业的理由",
        "what the enterprise is told",
        44,
    ),
    (
        REASON_EN,
        "英文理由",
        "告知企业的理由",
        "what the enterprise is told",
        44,
    ),
    (
        BASIS_ZH,
        "中文依据",
        "有措施时必填；每行一条，与英文逐行对应",
        "needed with measures; one in a line, line by line as in English",
        40,
    ),
    (
        BASIS_EN,
        "英文依据",
        "每行一条，与中文逐行对应",
        "one in a line, line by line as in Chinese",
        40,
    ),
];

pub(super) const OF_TREES: [Told; 3] = [
    (
        TREE,
        "代码树",
        "sector 行业 或 district 行政区划",
        "sector or district",
        14,
    ),
    (CHILD, "下级", "代码", "code", 20),
    (PARENT, "上级", "代码", "code", 20),
];

pub(super) const OF_UNFAIR: [Told; 3] = [
    (
        ROWS,
        "行",
        "有意违反“更好不吃亏”原则的行号，默认行为 0",
        "rows that treat the better worse on purpose; 0 is the default row",
        14,
    ),
    (REASON_ZH, "中文理由", "", "", 60),
    (REASON_EN, "英文理由", "", "", 60),
];

pub(super) const OF_CASES: [Told; 3] = [
    (NAME, "名称", "", "", 34),
    (
        AT,
        "时点",
        "如 2026-05-10 或 2026-05-10T12:00:00+08:00",
        "2026-05-10 or 2026-05-10T12:00:00+08:00",
        26,
    ),
    (MATTER, "事项", "空为第一个事项", "empty: the first matter", 24),
];

pub(super) const OF_EXPECTED: [Told; 3] = [
    (
        EXPECT_OUTCOME,
        "应得结论",
        "空为不检查",
        "empty: not looked at",
        18,
    ),
    (
        EXPECT_MEASURES,
        "应得措施",
        "全部措施，每行一项；none 为没有措施；空为不检查",
        "all measures, one in a line; none: no measure; empty: not looked at",
        30,
    ),
    (
        EXPECT_ROWS,
        "应命中行",
        "行号，默认行为 0；空为不检查",
        "row numbers; 0 is the default row; empty: not looked at",
        14,
    ),
];
