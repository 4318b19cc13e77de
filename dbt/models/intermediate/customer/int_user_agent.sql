{# The user agents that open and click mails. #}
{{ judged_user_agents(ref('stg_email__event'), ref('user_agent_rules')) }}
