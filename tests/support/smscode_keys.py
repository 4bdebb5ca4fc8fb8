"""The keys of what the smscode API answers, in the vendor's order; each list is closed."""

CAPABILITIES = ["can_finish", "can_resend", "can_cancel", "can_replace", "can_reactivate",
                "resend_available_at", "cancel_available_at", "replace_available_at"]  # fmt: skip
SUMMARY = [
    "id",
    "status",
    "created_at",
    "product_id",
    "catalog_product_id",
    "operator_id",
    "operator_name",
    "phone_number",
    "amount",
    "otp_code",
    "otp_message",
    "sms_revision",
    "otp_received_at",
    "expires_at",
    "canceled_at",
    "failed_reason",
    *CAPABILITIES,
]
STATUS = ["id", "status", "otp_code", "otp_message", "sms_revision", "otp_received_at", "expires_at", "failed_reason", "operator_id",
          "operator_name", *CAPABILITIES]  # fmt: skip
CREATED = ["id", "status", "phone_number", "otp_code", "otp_received_at", "expires_at", "failed_reason", "product_id", "catalog_product_id",
           "operator_id", "operator_name", "amount", *CAPABILITIES]  # fmt: skip
MONEY = ["amount", "currency", "canonical_amount", "canonical_currency"]
