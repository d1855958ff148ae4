"""What a user of BI may set for a statement or a session, and nothing else: none of it reaches what a view sees.

Everything that is not named here is fixed: how a plan is optimised, limits on what is read (whose errors would
count foreign rows), headers of answers, how NULL or FINAL are taken inside a view.
"""

from __future__ import annotations

from dagster_project.mart.barrier import REGIONS

SECONDS = 120
MEMORY = 4_000_000_000
DISK = 4_000_000_000
"""Bytes on disk of one statement: of sorting, and of an answer held back until it is whole."""

LIMITED = {
    "max_execution_time": (1, SECONDS),
    "max_memory_usage": (1, MEMORY),
    "max_threads": (1, 64),
    "max_block_size": (1024, 1_000_000),
    # an answer that is held back until it is whole, and how often progress is told meanwhile
    "http_response_buffer_size": (0, 10_000_000),
    "http_headers_progress_interval_ms": (10, 3_600_000),
    "interactive_delay": (10_000, 3_600_000_000),
    # how long a connection that does nothing is kept, in seconds
    "idle_connection_timeout": (1, 3600),
    "receive_timeout": (1, 3600),
    "send_timeout": (1, 3600),
}
"""Settings with a range; a tool may tighten them."""
FREE = (
    # what comes back, and how much of it
    *("max_result_rows", "max_result_bytes", "result_overflow_mode", "extremes"),
    # how moments are read and written: columns have their own time zone
    *("session_timezone", "date_time_input_format", "date_time_output_format", "interval_output_format"),
    # the connection
    *("enable_http_compression", "http_zlib_compression_level"),
    *("http_wait_end_of_query", "http_write_exception_in_output_format"),
    *("send_progress_in_http_headers", "cancel_http_readonly_queries_on_client_close"),
    *("network_compression_method", "network_zstd_compression_level", "poll_interval", "connect_timeout"),
    *("low_cardinality_allow_in_native_format", "input_format_binary_read_json_as_string"),
    # how values are written
    *(
        "output_format_write_statistics",
        "output_format_decimal_trailing_zeros",
        "output_format_trim_fixed_string",
    ),
    *("output_format_json_quote_64bit_integers", "output_format_json_quote_64bit_floats"),
    *(
        "output_format_json_quote_decimals",
        "output_format_json_quote_denormals",
        "output_format_json_pretty_print",
    ),
    *("output_format_json_array_of_rows", "output_format_json_named_tuples_as_objects"),
    *("output_format_json_escape_forward_slashes", "output_format_json_validate_utf8"),
    *("output_format_csv_crlf_end_of_line", "output_format_tsv_crlf_end_of_line"),
    *("format_csv_delimiter", "format_csv_null_representation", "format_tsv_null_representation"),
    *("output_format_binary_write_json_as_string", "output_format_native_write_json_as_string"),
    *("output_format_parquet_compression_method", "output_format_parquet_row_group_size"),
    *("output_format_parquet_string_as_string", "output_format_parquet_datetime_as_uint32"),
    *("output_format_parquet_date_as_uint16", "output_format_arrow_compression_method"),
    *("output_format_arrow_string_as_string", "output_format_arrow_low_cardinality_as_dictionary"),
    *("output_format_arrow_date_as_uint16", "output_format_pretty_max_rows", "output_format_pretty_color"),
    *("output_format_pretty_max_value_width", "output_format_pretty_row_numbers"),
)
"""Settings without one."""
ALWAYS = (
    *(
        "limit",
        "offset",
        "page",
        "select",
        "order",
        "sort",
        "filter",
        "database",
        "implicit_table_at_top_level",
    ),
    *("default_format", "format", "input_format", "output_format", "compression"),
)
"""What the engine lets everybody set: another way to write the statement itself, around its result."""


def bi_profile() -> str:
    """The profile of BI as users.xml has it: read only, but for the settings above."""
    limited = "".join(
        f"<{name}><min>{low}</min><max>{high}</max><changeable_in_readonly/></{name}>"
        for name, (low, high) in LIMITED.items()
    )
    free = "".join(f"<{name}><changeable_in_readonly/></{name}>" for name in FREE)
    return f"""    <bi>
      <readonly>1</readonly>
      <max_execution_time>{SECONDS}</max_execution_time>
      <max_memory_usage>{MEMORY}</max_memory_usage>
      <max_temporary_data_on_disk_size_for_query>{DISK}</max_temporary_data_on_disk_size_for_query>
      <use_query_condition_cache>0</use_query_condition_cache>
      <allow_introspection_functions>0</allow_introspection_functions>
      <constraints>{limited}{free}</constraints>
    </bi>"""


def sees(codes: str) -> str:
    """Whose rows the users of a profile see, in a form that none of them can change in a statement."""
    return f"<{REGIONS}>{codes}</{REGIONS}>"
