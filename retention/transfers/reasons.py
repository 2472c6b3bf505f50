"""The reasons of a decision: their codes, the law or clause behind each, and their sentences in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from retention.model.transfer import Ground


class Code(StrEnum):
    """Every reason that a decision can have, and every warning."""

    WITHIN_HOME = "within-home"
    COMES_HOME = "comes-home"
    AUTHORITY_APPROVED = "authority-approved"
    NEEDED = "needed"
    CONSENT_STANDS = "consent-stands"
    NOTHING_PERSONAL = "nothing-personal"
    FEW_PERSONS = "few-persons"
    ASSESSMENT_FOR_IMPORTANT = "assessment-for-important-data"
    ASSESSMENT_FOR_CIIO = "assessment-for-ciio"
    ASSESSMENT_FOR_MANY = "assessment-for-many"
    CONTRACT_FOR_SOME = "contract-for-some"
    MEASURE_STANDS = "measure-stands"

    DESTINATION_UNKNOWN = "destination-unknown"
    SOURCE_UNKNOWN = "source-unknown"
    DATASET_UNKNOWN = "dataset-unknown"
    RECIPIENT_MISSING = "recipient-missing"
    PURPOSE_MISSING = "purpose-missing"
    SERVICE_MISSING = "service-missing"
    IMPORTANCE_UNKNOWN = "importance-unknown"
    CIIO_UNKNOWN = "ciio-unknown"
    PERSONS_UNKNOWN = "persons-unknown"
    CUSTOMER_UNKNOWN = "customer-unknown"
    DATASET_MISSING = "dataset-missing"

    AUTHORITY_NOT_APPROVED = "authority-not-approved"
    SERVICE_NOT_ORDERED = "service-not-ordered"
    NOT_NEEDED = "not-needed"
    NO_DECISION = "no-decision"
    NO_CONSENT = "no-consent"
    CONSENT_NOT_SEPARATE = "consent-not-separate"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    CONSENT_NOT_YET = "consent-not-yet"
    CONSENT_EXPIRED = "consent-expired"
    CONSENT_OTHER_PURPOSE = "consent-other-purpose"
    CONSENT_OTHER_RECIPIENT = "consent-other-recipient"
    CONSENT_OTHER_DESTINATION = "consent-other-destination"
    CONSENT_OTHER_SERVICE = "consent-other-service"
    NO_MEASURE = "no-measure"
    NO_MEASURE_FITS = "no-measure-fits"
    MEASURE_TOO_WEAK = "measure-too-weak"
    MEASURE_NOT_ACCEPTED = "measure-not-accepted"
    MEASURE_WITHOUT_NUMBER = "measure-without-number"
    NO_IMPACT_ASSESSMENT = "no-impact-assessment"
    MEASURE_NOT_YET = "measure-not-yet"
    MEASURE_EXPIRED = "measure-expired"
    MEASURE_TOO_LONG = "measure-too-long"
    MEASURE_OTHER_DATASET = "measure-other-dataset"
    MEASURE_OTHER_DESTINATION = "measure-other-destination"
    MEASURE_OTHER_RECIPIENT = "measure-other-recipient"
    EXEMPTION_WITHOUT_GROUND = "exemption-without-ground"

    NEAR_THRESHOLD = "near-threshold"
    NEAR_SENSITIVE_THRESHOLD = "near-sensitive-threshold"
    THRESHOLD_REACHED = "threshold-reached"
    SENSITIVE_THRESHOLD_REACHED = "sensitive-threshold-reached"
    CONSENT_ENDS_SOON = "consent-ends-soon"
    MEASURE_ENDS_SOON = "measure-ends-soon"
    MEASURE_ENDED = "measure-ended"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A reason in both languages, with `{names}` for what it is about, and the law or clause behind it."""

    zh: str
    en: str
    basis: str = ""


SENTENCES: Mapping[Code, Sentence] = {
    Code.WITHIN_HOME: Sentence(
        "数据未离开 {home}，不属于出境", "it does not leave {home}, so it is no transfer", "6.12"
    ),
    Code.COMES_HOME: Sentence("数据回到 {home}", "it comes back to {home}", "6.12"),
    Code.AUTHORITY_APPROVED: Sentence(
        "已有主管机关批准：{approval}", "the competent authority has approved it: {approval}", "PIPL 41"
    ),
    Code.NEEDED: Sentence(
        "为提供 {service} 所必需的数据集：{dataset}", "the dataset {dataset} is kept for the service {service}", "6.12"
    ),
    Code.CONSENT_STANDS: Sentence("单独同意 {consent} 有效", "the separate consent {consent} is in force", "PIPL 39"),
    Code.NOTHING_PERSONAL: Sentence(
        "不含个人信息和重要数据，无需三种措施",
        "it holds neither personal information nor important data: no measure is needed",
    ),
    Code.FEW_PERSONS: Sentence(
        "自1月1日起累计 {persons} 人，不满 {below} 人且不含敏感个人信息，无需三种措施",
        "{persons} persons since 1 January, fewer than {below} and none sensitive: no measure is needed",
    ),
    Code.ASSESSMENT_FOR_IMPORTANT: Sentence(
        "含重要数据，应当申报安全评估", "it holds important data: a security assessment is needed"
    ),
    Code.ASSESSMENT_FOR_CIIO: Sentence(
        "关键信息基础设施运营者，应当申报安全评估",
        "the provider is a critical information infrastructure operator: a security assessment is needed",
    ),
    Code.ASSESSMENT_FOR_MANY: Sentence(
        "自1月1日起累计 {persons} 人（敏感 {sensitive} 人），应当申报安全评估",
        "{persons} persons ({sensitive} sensitive) since 1 January: a security assessment is needed",
    ),
    Code.CONTRACT_FOR_SOME: Sentence(
        "自1月1日起累计 {persons} 人（敏感 {sensitive} 人），应当订立标准合同或者通过认证",
        "{persons} persons ({sensitive} sensitive) since 1 January: a standard contract or a certification is needed",
    ),
    Code.MEASURE_STANDS: Sentence(
        "法定措施 {measure}（编号 {number}）有效",
        "the legal measure {measure} (number {number}) is in force",
        "PIPL 38",
    ),
    Code.DESTINATION_UNKNOWN: Sentence("目的地不明", "where it would go is not known", "6.12"),
    Code.SOURCE_UNKNOWN: Sentence("数据所在地不明", "where it lies is not known", "6.12"),
    Code.DATASET_UNKNOWN: Sentence("策略中没有数据集 {dataset}", "the policy has no dataset {dataset}", "6.12"),
    Code.RECIPIENT_MISSING: Sentence("未说明境外接收方", "the recipient is not named", "PIPL 39"),
    Code.PURPOSE_MISSING: Sentence("未说明处理目的", "the purpose is not named", "PIPL 39"),
    Code.SERVICE_MISSING: Sentence("未说明为哪项服务所必需", "the service that needs it is not named", "6.12"),
    Code.IMPORTANCE_UNKNOWN: Sentence(
        "未说明数据集 {dataset} 是否含重要数据", "whether the dataset {dataset} holds important data is not said"
    ),
    Code.CIIO_UNKNOWN: Sentence(
        "未说明是否为关键信息基础设施运营者",
        "whether the provider is a critical information infrastructure operator is not said",
    ),
    Code.PERSONS_UNKNOWN: Sentence("未说明涉及的人数", "how many persons it is about is not said", "CAC Order 16"),
    Code.CUSTOMER_UNKNOWN: Sentence("不知道是谁的数据", "whose data it is is not known", "6.12"),
    Code.DATASET_MISSING: Sentence("不知道属于哪个数据集", "of which dataset it is is not known", "6.12"),
    Code.NO_DECISION: Sentence(
        "尚未就数据集 {dataset} 作出允许的决定", "no decision allows it for the dataset {dataset}", "6.12"
    ),
    Code.AUTHORITY_NOT_APPROVED: Sentence(
        "外国司法或者执法机构的请求，未经主管机关批准",
        "a foreign court or agency asks for it, and the competent authority has not approved",
        "PIPL 41",
    ),
    Code.SERVICE_NOT_ORDERED: Sentence(
        "客户没有订购 {service}", "the customer has not ordered the service {service}", "6.12"
    ),
    Code.NOT_NEEDED: Sentence(
        "提供 {service} 不需要数据集 {dataset}", "the service {service} does not need the dataset {dataset}", "6.12"
    ),
    Code.NO_CONSENT: Sentence(
        "客户未就数据集 {dataset} 单独同意", "there is no consent for the dataset {dataset}", "PIPL 39"
    ),
    Code.CONSENT_NOT_SEPARATE: Sentence(
        "同意 {consent} 不是单独作出的", "the consent {consent} was not given separately", "PIPL 39"
    ),
    Code.CONSENT_WITHDRAWN: Sentence(
        "同意 {consent} 已于 {at} 撤回", "the consent {consent} was withdrawn on {at}", "PIPL 15, 47"
    ),
    Code.CONSENT_NOT_YET: Sentence(
        "同意 {consent} 自 {at} 起才有效", "the consent {consent} begins on {at}", "PIPL 39"
    ),
    Code.CONSENT_EXPIRED: Sentence("同意 {consent} 已于 {at} 到期", "the consent {consent} ended on {at}", "PIPL 39"),
    Code.CONSENT_OTHER_PURPOSE: Sentence(
        "同意 {consent} 的目的是 {agreed}，不是 {asked}",
        "the consent {consent} is for {agreed}, not for {asked}",
        "PIPL 39",
    ),
    Code.CONSENT_OTHER_RECIPIENT: Sentence(
        "同意 {consent} 的接收方是 {agreed}，不是 {asked}",
        "the consent {consent} names {agreed} as recipient, not {asked}",
        "PIPL 39",
    ),
    Code.CONSENT_OTHER_DESTINATION: Sentence(
        "同意 {consent} 的目的地是 {agreed}，不是 {asked}",
        "the consent {consent} is for {agreed}, not for {asked}",
        "PIPL 39",
    ),
    Code.CONSENT_OTHER_SERVICE: Sentence(
        "同意 {consent} 针对服务 {agreed}，不是 {asked}",
        "the consent {consent} is about the service {agreed}, not {asked}",
        "PIPL 39",
    ),
    Code.NO_MEASURE: Sentence(
        "没有登记任何法定措施，需要：{needed}", "no legal measure is registered; needed: {needed}", "PIPL 38"
    ),
    Code.NO_MEASURE_FITS: Sentence(
        "没有登记的法定措施适用，需要：{needed}", "no registered measure fits; needed: {needed}", "PIPL 38"
    ),
    Code.MEASURE_TOO_WEAK: Sentence(
        "{measure}（{kind}）不足以覆盖这一规模", "{measure} ({kind}) is not enough for this", "PIPL 38"
    ),
    Code.MEASURE_NOT_ACCEPTED: Sentence(
        "策略不接受 {measure}（{kind}）", "the policy does not accept {measure} ({kind})", "6.12"
    ),
    Code.MEASURE_WITHOUT_NUMBER: Sentence("{measure} 没有编号", "{measure} has no number", "PIPL 38"),
    Code.NO_IMPACT_ASSESSMENT: Sentence(
        "{measure} 没有个人信息保护影响评估", "{measure} names no impact assessment", "PIPL 55"
    ),
    Code.MEASURE_NOT_YET: Sentence("{measure} 自 {at} 起才有效", "{measure} begins on {at}", "PIPL 38"),
    Code.MEASURE_EXPIRED: Sentence("{measure} 已于 {at} 到期", "{measure} ended on {at}", "PIPL 38"),
    Code.MEASURE_TOO_LONG: Sentence(
        "{measure} 登记的有效期超过 {years} 年", "{measure} is registered for more than {years} years"
    ),
    Code.MEASURE_OTHER_DATASET: Sentence(
        "{measure} 不包括数据集 {asked}", "{measure} does not cover the dataset {asked}", "PIPL 38"
    ),
    Code.MEASURE_OTHER_DESTINATION: Sentence(
        "{measure} 不包括目的地 {asked}", "{measure} does not cover {asked}", "PIPL 38"
    ),
    Code.MEASURE_OTHER_RECIPIENT: Sentence(
        "{measure} 不包括接收方 {asked}", "{measure} does not cover the recipient {asked}", "PIPL 38"
    ),
    Code.EXEMPTION_WITHOUT_GROUND: Sentence(
        "{measure} 没有写明豁免依据", "{measure} names no ground for the exemption", "CAC Order 16, 5"
    ),
    Code.NEAR_THRESHOLD: Sentence(
        "已达 {count} 人，接近 {threshold} 人的界限", "{count} persons, near the threshold of {threshold}"
    ),
    Code.NEAR_SENSITIVE_THRESHOLD: Sentence(
        "敏感个人信息已达 {count} 人，接近 {threshold} 人的界限",
        "{count} persons with sensitive information, near {threshold}",
    ),
    Code.THRESHOLD_REACHED: Sentence(
        "自1月1日起累计 {count} 人，已达到 {threshold} 人的界限",
        "{count} persons since 1 January: the threshold of {threshold} is reached",
    ),
    Code.SENSITIVE_THRESHOLD_REACHED: Sentence(
        "自1月1日起敏感个人信息累计 {count} 人，已达到 {threshold} 人的界限",
        "{count} persons with sensitive information since 1 January: the threshold of {threshold} is reached",
    ),
    Code.CONSENT_ENDS_SOON: Sentence(
        "客户 {customer} 的同意 {name} 将于 {at} 到期", "the consent {name} of {customer} ends on {at}"
    ),
    Code.MEASURE_ENDS_SOON: Sentence("法定措施 {name} 将于 {at} 到期", "the legal measure {name} ends on {at}"),
    Code.MEASURE_ENDED: Sentence(
        "法定措施 {name} 已于 {at} 到期，本年度有 {count} 个决定以其为依据",
        "the legal measure {name} ended on {at}, and {count} decisions of this year rest on it",
        "PIPL 38",
    ),
}


def ground(code: Code, basis: str | None = None, **about: str) -> Ground:
    """A reason about something; its basis is that of its sentence unless the law's data says it."""
    return Ground(str(code), about, basis if basis is not None else SENTENCES[code].basis)


def said(reason: Ground, lang: str) -> str:
    """The reason as a sentence in `zh` or `en`, with its basis in brackets."""
    sentence = SENTENCES[Code(reason.code)]
    text = (sentence.zh if lang == "zh" else sentence.en).format(**reason.about)
    return f"{text} ({reason.basis})" if reason.basis else text
