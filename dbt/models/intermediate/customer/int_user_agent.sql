{# The few distinct user agents, judged once each instead of once per event. #}
with agents as (
    select user_agent from {{ ref('stg_email__event') }}
    union
    select user_agent from {{ ref('stg_web__event') }}
)

select
    agents.user_agent,
    max(case when rules.kind = 'bot' then 1 else 0 end) = 1 as is_bot,
    max(case when rules.kind = 'machine_open' then 1 else 0 end) = 1 as is_machine_open
from agents
left join {{ ref('user_agent_rules') }} as rules
    on lower(agents.user_agent) like rules.pattern
where agents.user_agent is not null
group by agents.user_agent
