{#- The three digits of a DMA as partners write it: '501', 'US-DMA501', 'geoTargetConstants/200501'. Anything else ends up as
    whatever its last three characters are; the join to dim_dma sends that to '999' (unmapped), counted, never dropped. -#}
{% macro dma_digits(column) -%} right(trim({{ column }}), 3) {%- endmacro %}

{#- A ZIP as five characters: partners drop leading zeros, and write ZIP+4. -#}
{% macro zip5(column) -%} lpad(split_part(split_part(trim({{ column }}), '-', 1), '.', 1), 5, '0') {%- endmacro %}
